import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as MutableRef from "effect/MutableRef"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Writable } from "node:stream"

/** The standard input of a child, to which lines are written one after the other. */
export interface ChildInput {
  /** Writes a line after those before it. Waits while the child does not read; does nothing once the input has ended. */
  readonly write: (text: string) => Effect.Effect<void>
  /** Writes a line; false if that is not possible at once. */
  readonly writeNow: (text: string) => boolean
  /** Ends the input, once what waits has been written. */
  readonly end: Effect.Effect<void>
  /** Writes nothing any more. */
  readonly close: Effect.Effect<void>
  /** Completes when the child has closed it. */
  readonly broken: Effect.Effect<void>
}

/** How many lines may wait. */
const maxWaiting = 64

export const makeChildInput = Effect.fnUntraced(function* (
  stdin: Writable | null
): Effect.fn.Return<ChildInput, never, Scope.Scope> {
  const queue = yield* Queue.bounded<string, Cause.Done>(maxWaiting)
  const broken = yield* Deferred.make<void>()
  /** How many lines were given to `write` and are not written. */
  const waiting = MutableRef.make(0)
  stdin?.on("error", () => Deferred.doneUnsafe(broken, Effect.void))

  const writeLine = (text: string) =>
    Effect.callback<void>((resume) => {
      const taken = () => {
        MutableRef.decrement(waiting)
        resume(Effect.void)
      }
      if (stdin === null || stdin.write(`${text}\n`)) taken()
      else stdin.once("drain", taken)
    })
  const writing = Stream.fromQueue(queue).pipe(
    Stream.runForEach(writeLine),
    Effect.andThen(Effect.sync(() => stdin?.end())),
    Effect.raceFirst(Deferred.await(broken)),
    Effect.ensuring(Queue.shutdown(queue))
  )
  yield* Effect.forkScoped(writing)

  return {
    write: (text) =>
      Effect.suspend(() => {
        MutableRef.increment(waiting)
        return Effect.asVoid(
          Effect.onInterrupt(Queue.offer(queue, text), () => Effect.sync(() => MutableRef.decrement(waiting)))
        )
      }),
    writeNow: (text) => {
      if (stdin === null || MutableRef.get(waiting) > 0) return false
      if (!stdin.writable || stdin.writableNeedDrain) return false
      stdin.write(`${text}\n`)
      return true
    },
    end: Effect.asVoid(Queue.end(queue)),
    close: Effect.asVoid(Queue.shutdown(queue)),
    broken: Deferred.await(broken)
  }
})
