import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Schedule from "effect/Schedule"
import { currentMoment } from "../memory/Moment.ts"
import { endPendingWrite, pendingTokens, type PendingToken } from "../memory/StoreCheckState.ts"
import type { TokenSlots } from "../memory/TokenSlots.ts"

const firstPause = Duration.millis(500)

/** After the first attempt: 1 s, doubling, at most 30 s. */
const laterPauses = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])

/**
 * Writes tokens to the store that it did not take at first: half a second later, then after 1 s, 2 s ... at most 30 s,
 * until it takes them, and once more when the scope closes. While there are none no timer runs.
 */
export const makeLateWrites = Effect.fnUntraced(function* (slots: TokenSlots) {
  const work = yield* Latch.make(false)

  const write = ({ cached, key, pendingWrite }: PendingToken) =>
    Effect.flatMap(pendingWrite, (revision) =>
      Effect.map(currentMoment, (now) =>
        slots.modify(key, (slot) => [undefined, endPendingWrite(slot, cached, revision, now)])
      )
    ).pipe(Effect.ignore)

  const writeAll = Effect.suspend(() =>
    Effect.forEach(pendingTokens(slots.all()), write, { concurrency: 4, discard: true })
  )

  const isDone = Effect.sync(() => pendingTokens(slots.all()).length === 0)

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
