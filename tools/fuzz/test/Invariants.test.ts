import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { fuzzTarget } from "../src/run/Round.ts"
import { Broken, type Trial } from "../src/run/Target.ts"
import { compute, makeInstruments, secret, targetOf } from "./Fakes.ts"

/** What a round finds. */
const find = (trial: Trial<number>) =>
  Effect.gen(function* () {
    const { finding } = yield* fuzzTarget(targetOf(trial)).round(yield* makeInstruments(), {
      seed: 1,
      until: Number.MAX_SAFE_INTEGER
    })
    return finding
  })

/** Lets time pass until an effect has ended. */
const passTime = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect)
  while (fiber.pollUnsafe() === undefined) {
    yield* TestClock.adjust("1 second")
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
  }
  return yield* Fiber.join(fiber)
})

const shown = (...texts: ReadonlyArray<string>) => Effect.succeed(texts)

describe("an invariant", () => {
  it.effect("a target that does all that it should breaks no invariant", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* find((input) => shown(`got ${input}`)))
    })
  )

  it.effect("a defect is a crash, and the smallest input that leads to it is reported", () =>
    Effect.gen(function* () {
      const finding = yield* find((input) => (input > 400 ? Effect.die(new Error("too much")) : shown()))
      assert.match(finding?.problem ?? "", /^no crash: .*too much/)
      assert.strictEqual(finding?.input, 401)
      assert.strictEqual(finding?.seed, 1)
    })
  )

  it.effect("an error that nobody catches is a crash", () =>
    Effect.gen(function* () {
      // The test runner would take it for its own.
      const others = process.listeners("uncaughtException")
      process.removeAllListeners("uncaughtException")
      const finding = yield* find(() =>
        Effect.callback<ReadonlyArray<unknown>>((resume) => {
          setImmediate(() => {
            resume(Effect.succeed([]))
            throw new Error("thrown behind the answer")
          })
        })
      )
      for (const other of others) process.on("uncaughtException", other)
      assert.match(finding?.problem ?? "", /^no crash: nobody caught Error: thrown behind the answer/)
    })
  )

  const leaks: ReadonlyArray<readonly [string, Trial<number>]> = [
    ["in what a peer sees", () => shown(`the token is ${secret}`)],
    ["in base64", () => shown(Buffer.from(`id:${secret}`).toString("base64"))],
    ["in a log entry below the usual level", () => Effect.as(Effect.logDebug({ token: secret }), [])]
  ]
  for (const [where, trial] of leaks) {
    it.effect(`a secret ${where} breaks an invariant`, () =>
      Effect.gen(function* () {
        assert.match((yield* find(trial))?.problem ?? "", /^no secret: /)
      })
    )
  }

  it.effect("a computation of more than 50 ms is a stall", () =>
    Effect.gen(function* () {
      const finding = yield* find((input) =>
        Effect.sync(() => {
          if (input === 0) compute(80)
          return []
        })
      )
      assert.match(finding?.problem ?? "", /^no stall: /)
      assert.strictEqual(finding?.input, 0)
    })
  )

  it.effect("a wait is no stall, nor is a computation that is slow only once", () =>
    Effect.gen(function* () {
      let isFirst = true
      const finding = yield* find((input) =>
        Effect.promise(async () => {
          if (input % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 120))
          if (isFirst) compute(80)
          isFirst = false
          return []
        })
      )
      assert.isUndefined(finding)
    })
  )

  it.effect("an input without an answer breaks an invariant", () =>
    Effect.gen(function* () {
      const finding = yield* passTime(find(() => Effect.never))
      assert.match(finding?.problem ?? "", /^an answer: there was none within 15 seconds/)
    })
  )

  it.effect("an input that is answered at the second attempt was only late", () =>
    Effect.gen(function* () {
      let isFirst = true
      const trial: Trial<number> = () => {
        if (!isFirst) return shown()
        isFirst = false
        return Effect.never
      }
      assert.isUndefined(yield* passTime(find(trial)))
    })
  )

  it.effect("an invariant of a target's own is reported in its words", () =>
    Effect.gen(function* () {
      const finding = yield* find(() => Effect.fail(new Broken({ problem: "no storm: 99 requests" })))
      assert.strictEqual(finding?.problem, "no storm: 99 requests")
    })
  )
})
