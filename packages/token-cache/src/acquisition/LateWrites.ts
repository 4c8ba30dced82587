import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import type { CacheState } from "../memory/CacheState.ts"
import { currentMoment } from "../memory/Moment.ts"
import { endPendingWrite, pendingTokens, type PendingToken } from "../memory/StoreCheckState.ts"

const firstPause = Duration.millis(500)

/** After the first attempt: 1 s, doubling, at most 30 s. */
const laterPauses = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])

/**
 * Writes tokens to the store that it did not take at first: half a second later, then after 1 s, 2 s ... at most 30 s,
 * until it takes them, and once more when the scope closes. While there are none no timer runs.
 */
export const makeLateWrites = Effect.fnUntraced(function* (state: Ref.Ref<CacheState>) {
  const work = yield* Latch.make(false)

  const write = ({ cached, id, pendingWrite }: PendingToken) =>
    Effect.flatMap(pendingWrite, (revision) =>
      Effect.flatMap(currentMoment, (now) =>
        Ref.update(state, (current) => endPendingWrite(current, id, cached, revision, now))
      )
    ).pipe(Effect.ignore)

  const writeAll = Effect.flatMap(Ref.get(state), (current) =>
    Effect.forEach(pendingTokens(current), write, { concurrency: 4, discard: true })
  )

  const isDone = Effect.map(Ref.get(state), (current) => pendingTokens(current).length === 0)

  const writeUntilDone = Effect.uninterruptible(writeAll).pipe(
    Effect.andThen(isDone),
    Effect.repeat({ schedule: laterPauses, until: (done) => done }),
    Effect.andThen(Effect.logInfo("The token store has all tokens again"))
  )

  yield* Effect.addFinalizer(() => writeAll)
  yield* work.await.pipe(
    Effect.andThen(work.close),
    Effect.andThen(Effect.sleep(firstPause)),
    Effect.andThen(writeUntilDone),
    Effect.forever,
    Effect.forkScoped
  )
  return { wake: Effect.asVoid(work.open) }
})
