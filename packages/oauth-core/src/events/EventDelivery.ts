import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type { OAuthEvent } from "./OAuthEvents.ts"

/** Receives events beside other listeners. */
export interface OAuthEventListener {
  /** What it is, for the log: "audit". */
  readonly name: string
  /**
   * Receives the events one by one, in their order. Nobody waits for it, and its failure hurts nobody: it is logged. While it
   * is busy up to 1000 events wait for it; those above are dropped, which is logged.
   */
  readonly receive: (event: OAuthEvent) => Effect.Effect<void, unknown>
  /** Receives the cache hits of `OAuthEvents.countHit`, which happen on every request. Default: `receive` does. */
  readonly countHit?: ((serverName: string, hits: number) => void) | undefined
}

/** Gives events to one listener. Neither of its functions waits or fails. */
export interface EventDelivery {
  readonly deliver: (event: OAuthEvent) => void
  readonly countHit: (serverName: string, hits: number) => void
}

/** Events that wait for a listener. */
const capacity = 1000

/** What a listener does at once it has done when `deliver` returns; what takes longer goes on by itself. */
export const makeEventDelivery = Effect.fnUntraced(function* ({
  countHit,
  name,
  receive
}: OAuthEventListener) {
  const running = yield* FiberSet.make()
  const run = yield* FiberSet.runtime(running)()
  yield* Effect.addFinalizer(() => Effect.timeoutOption(FiberSet.awaitEmpty(running), "5 seconds"))
  const waiting: Array<OAuthEvent> = []
  let isBusy = false
  let hasFailed = false
  let dropped = 0

  const warnOfFailure = (cause: Cause.Cause<unknown>) =>
    Effect.suspend(() => {
      if (hasFailed) return Effect.void
      hasFailed = true
      return Effect.logWarning(`The event listener "${name}" failed: ${describe(Cause.squash(cause))}`)
    })

  const give = (event: OAuthEvent) =>
    Effect.suspend(() => receive(event)).pipe(
      Effect.andThen(Effect.sync(() => (hasFailed = false))),
      Effect.catchCauseIf((cause) => !Cause.hasInterruptsOnly(cause), warnOfFailure)
    )

  const giveAll = Effect.gen(function* () {
    for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) yield* give(event)
    if (dropped > 0) {
      yield* Effect.logWarning(`The event listener "${name}" was too slow: ${dropped} events were dropped`)
      dropped = 0
    }
  }).pipe(Effect.ensuring(Effect.sync(() => (isBusy = false))))

  const deliver = (event: OAuthEvent) => {
    if (waiting.length >= capacity) {
      dropped += 1
      return
    }
    waiting.push(event)
    if (isBusy) return
    isBusy = true
    run(giveAll)
  }

  return {
    deliver,
    countHit: (serverName, hits) => {
      if (countHit === undefined) {
        for (let hit = 0; hit < hits; hit += 1) deliver({ _tag: "CacheHit", serverName })
        return
      }
      try {
        countHit(serverName, hits)
      } catch (defect) {
        run(warnOfFailure(Cause.die(defect)))
      }
    }
  } satisfies EventDelivery
})

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error))
