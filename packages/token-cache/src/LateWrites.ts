import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Ref from "effect/Ref"
import type { HeldToken } from "./HeldToken.ts"
import { stored, unstored, type TokenSlots } from "./TokenSlots.ts"

/**
 * Writes the tokens that the store did not take to it later: after half a second, then 1 s, 2 s ... at most 30 s,
 * until it takes them, and once more when the scope closes. While there are none no timer runs.
 */
export const makeLateWrites = Effect.fnUntraced(function* (state: Ref.Ref<TokenSlots>) {
  const work = yield* Latch.make(false)

  const write = ([id, held]: readonly [string, HeldToken]) =>
    (held.unstored ?? Effect.succeed(true)).pipe(
      // A broken store is as good as one that is away.
      Effect.catchDefect(() => Effect.fail(undefined)),
      Effect.flatMap((isLast) => {
        const { unstored: _, ...now } = held
        return Ref.update(state, (slots) => stored(slots, id, held, isLast ? now : undefined))
      }),
      Effect.ignore
    )

  const writeAll = Effect.flatMap(Ref.get(state), (slots) =>
    Effect.forEach(unstored(slots), write, { concurrency: 4, discard: true })
  )

  const untilWritten = Effect.gen(function* () {
    let pause = Duration.millis(500)
    while (unstored(yield* Ref.get(state)).length > 0) {
      yield* Effect.sleep(pause)
      yield* Effect.uninterruptible(writeAll)
      pause = Duration.min(Duration.times(pause, 2), Duration.seconds(30))
    }
    yield* Effect.logInfo("The token store has all tokens again")
  })

  yield* Effect.addFinalizer(() => writeAll)
  yield* work.await.pipe(
    Effect.andThen(work.close),
    Effect.andThen(untilWritten),
    Effect.forever,
    Effect.forkScoped
  )
  return { wake: Effect.asVoid(work.open) }
})
