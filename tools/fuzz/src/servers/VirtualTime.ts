import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { Broken } from "../run/Target.ts"
import { nextTurn } from "../run/TurnWatch.ts"

/** No wait is so long that a caller gets no answer within this many seconds. */
const mostSeconds = 3600

/**
 * Runs an effect on a clock of its own that is moved on whenever the effect waits, and fails if it has not ended after an
 * hour of that clock.
 */
export const inVirtualTime = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Broken, R> =>
  Effect.gen(function* () {
    yield* TestClock.setTime(startOfTime)
    const fiber = yield* Effect.forkChild(effect)
    const clock = Effect.gen(function* () {
      for (let second = 0; second < mostSeconds; second += 1) {
        for (let turn = 0; turn < turns; turn += 1) yield* nextTurn
        yield* TestClock.adjust("1 second")
      }
      return yield* new Broken({ problem: `an answer: there was none after ${mostSeconds} seconds` })
    })
    return yield* Effect.raceFirst(Fiber.join(fiber), clock)
  }).pipe(Effect.provide(TestClock.layer()))

const startOfTime = 1_800_000_000_000

/** Turns of the event loop in which all happens that waits for no clock. */
const turns = 4
