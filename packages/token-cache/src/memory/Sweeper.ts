import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

/**
 * Runs `sweep` a minute after it was woken and every minute from then on, until `sweep` says that nothing is left
 * that will end. While there is nothing to do no timer runs.
 */
export const makeSweeper = Effect.fnUntraced(function* (sweep: Effect.Effect<boolean>) {
  const work = yield* Latch.make(false)
  yield* work.await.pipe(
    Effect.andThen(Effect.sleep(interval)),
    Effect.andThen(work.close),
    Effect.andThen(sweep),
    Effect.tap((left) => (left ? work.open : Effect.void)),
    Effect.forever,
    Effect.forkScoped
  )
  return { wake: Effect.asVoid(work.open) }
})

const interval = Duration.minutes(1)
