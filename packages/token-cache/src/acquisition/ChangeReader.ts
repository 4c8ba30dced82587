import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { TokenKey } from "@secure-mcp/oauth-core"
import { makeChangeHistory, type ChangeHistory } from "../memory/ChangeHistory.ts"
import type { MemoryToken } from "../memory/MemoryToken.ts"
import { currentMoment } from "../memory/Moment.ts"
import type { TokenStore } from "../store/TokenStore.ts"
import { defectsAsProblems } from "./StoreAccess.ts"

/** Finds out by one question to the store which of all tokens in memory are unchanged there. */
export interface ChangeReader {
  readonly confirm: ChangeHistory["confirm"]
  /** Whether there was no reading yet. Only what the store is asked about after the first can be confirmed by later ones. */
  readonly isNew: () => boolean
  /** Reads the changes for the first time. */
  readonly begin: Effect.Effect<void>
  /**
   * Reads the changes, once for all who ask at the same time, unless that was tried a moment ago. Gives whether the token is as
   * it was when the store was last asked about it; if not, or if it is not known, the store has to be asked again.
   */
  readonly isUnchanged: (key: TokenKey, cached: MemoryToken) => Effect.Effect<boolean>
}

/** Undefined for a store that does not say what changes. */
export const makeChangeReader = (
  { changes }: TokenStore["Service"],
  storeCheckInterval: Duration.Duration
): ChangeReader | undefined => {
  if (changes === undefined) return undefined
  const history = makeChangeHistory()
  let running: Deferred.Deferred<void> | undefined
  /** When it was tried last, on the monotonic clock. */
  let triedAt = -Infinity

  const readNow = Effect.gen(function* () {
    const asked = yield* currentMoment
    const answer = yield* changes(history.cursor())
    history.add(answer, asked, yield* currentMoment)
  }).pipe(
    defectsAsProblems,
    Effect.catch(({ problem }) =>
      Effect.logDebug(`The changes of the token store could not be read: ${problem}`)
    ),
    Effect.andThen(currentMoment),
    Effect.map(({ monotonic }) => {
      triedAt = monotonic
    })
  )

  const readOnce = Effect.suspend(() => {
    if (running !== undefined) return Deferred.await(running)
    const ended = Deferred.makeUnsafe<void>()
    running = ended
    return Effect.onExit(readNow, (exit) => {
      running = undefined
      return Deferred.done(ended, exit)
    })
  })

  return {
    confirm: history.confirm,
    isNew: () => running === undefined && triedAt === -Infinity,
    begin: readOnce,
    isUnchanged: Effect.fnUntraced(function* (key, cached) {
      const { monotonic } = yield* currentMoment
      if (monotonic - triedAt >= Duration.toMillis(storeCheckInterval) / 2) yield* readOnce
      return history.confirm(key, cached) !== undefined
    })
  }
}
