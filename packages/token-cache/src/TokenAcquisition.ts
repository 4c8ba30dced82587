import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import {
  OAuthToken,
  type CachedToken,
  type OAuthError,
  type OAuthEvents,
  type StoreUnavailable,
  type TokenCacheRequest,
  type TokenKey
} from "@secure-mcp/oauth-core"
import type { Lead } from "./Decision.ts"
import { currentMoment, hold, timeToLive, type HeldToken } from "./HeldToken.ts"
import { guardedAcquire } from "./StoreGuard.ts"
import { consult } from "./StoredToken.ts"
import type { TokenStore } from "./TokenStore.ts"

/** What the leader of an acquisition brings home. */
export interface Obtained {
  readonly result: CachedToken
  /** The token as it is to be kept; absent if it is of no further use. */
  readonly held: HeldToken | undefined
  /** Why the store does not have it; absent if it has. */
  readonly unstored?: StoreUnavailable | undefined
}

/** What the leader of an acquisition does. A store that fails costs a warning, never a token. */
export interface TokenAcquisition {
  /**
   * Looks into the store, acquires, writes to the store. Runs uninterruptible except while it waits for the store's
   * answer or for the new token: once a token has been granted, it is kept. A refresh token may be used up as soon
   * as it has been sent, so the answer to that is waited for, too.
   *
   * @param commit runs before something begins that has to be brought to its end
   */
  readonly obtain: (
    lead: Lead,
    request: TokenCacheRequest,
    commit: Effect.Effect<void>
  ) => Effect.Effect<Obtained, OAuthError>
  /** Takes in a token that was obtained elsewhere. */
  readonly adopt: (key: TokenKey, token: OAuthToken) => Effect.Effect<Obtained>
}

export const makeAcquisition = (
  store: TokenStore["Service"],
  events: (typeof OAuthEvents)["Service"]
): TokenAcquisition => {
  const obtain = Effect.fnUntraced(function* (
    lead: Lead,
    request: TokenCacheRequest,
    commit: Effect.Effect<void>
  ) {
    const { key } = request
    let unread: StoreUnavailable | undefined
    const found = yield* Effect.interruptible(store.get(key)).pipe(
      Effect.tapError((reason) => Effect.sync(() => (unread = reason))),
      orWarn("read")
    )
    const { adopted, previous, refused } = consult(found, lead, request, yield* currentMoment)
    if (!lead.acquisition.background)
      yield* events.publish({
        _tag: adopted === undefined ? "CacheMiss" : "CacheHit",
        serverName: key.serverName
      })
    if (adopted !== undefined) return served(adopted.token, "cache", adopted)
    if (refused !== undefined) yield* withdraw(key, refused)
    if (previous?.refreshToken !== undefined) yield* commit
    const token = yield* acquire(request, previous, unread)
    const { held } = yield* keep(key, token, previous)
    return served(token, "acquired", held)
  })

  const acquire = Effect.fnUntraced(function* (
    request: TokenCacheRequest,
    previous: OAuthToken | undefined,
    unread: StoreUnavailable | undefined
  ) {
    const { serverName } = request.key
    const refresh = previous !== undefined
    const start = (yield* currentMoment).monotonic
    const acquisition = guardedAcquire(store, request, previous, unread)
    const exit = yield* Effect.exit(
      previous?.refreshToken === undefined ? Effect.interruptible(acquisition) : acquisition
    )
    const duration = Duration.millis((yield* currentMoment).monotonic - start)
    const error = Exit.findErrorOption(exit)
    if (Exit.isSuccess(exit)) yield* events.publish({ _tag: "TokenAcquired", serverName, duration, refresh })
    else if (Option.isSome(error))
      yield* events.publish({
        _tag: "AcquisitionFailed",
        serverName,
        duration,
        refresh,
        reason: error.value.reason._tag
      })
    return yield* exit
  })

  /** A process that starts later must not serve the refused token, but may need it to refresh. */
  const withdraw = (key: TokenKey, refused: OAuthToken) =>
    (refused.refreshToken === undefined
      ? store.remove(key)
      : store.set(key, new OAuthToken({ ...refused, reusable: false }), Duration.infinity)
    ).pipe(orWarn("written"))

  const keep = Effect.fnUntraced(function* (
    key: TokenKey,
    token: OAuthToken,
    previous: OAuthToken | undefined
  ) {
    const now = yield* currentMoment
    const held = hold(token, now)
    const keptFor = timeToLive(held, now.monotonic)
    let unstored: StoreUnavailable | undefined
    const write = (change: Effect.Effect<unknown, StoreUnavailable>) =>
      change.pipe(
        Effect.tapError((reason) => Effect.sync(() => (unstored = reason))),
        orWarn("written")
      )
    if (Duration.isPositive(keptFor)) {
      yield* write(store.set(key, token, keptFor))
      return { held, unstored }
    }
    if (previous !== undefined) yield* write(store.remove(key))
    return { held: undefined, unstored }
  })

  return {
    obtain,
    adopt: (key, token) =>
      Effect.map(keep(key, token, token), ({ held, unstored }) => ({
        ...served(token, "acquired", held),
        unstored
      }))
  }
}

const served = (token: OAuthToken, source: CachedToken["source"], held: HeldToken | undefined): Obtained => ({
  result: { token, source },
  held
})

/** Neither a failing store nor a broken one (a defect, whose text may hold anything) stands in the way of a token. */
export const orWarn =
  (operation: "read" | "written") =>
  <A>(effect: Effect.Effect<A, StoreUnavailable>): Effect.Effect<A | undefined> =>
    effect.pipe(
      Effect.catch(({ problem }) => warn(operation, problem)),
      Effect.catchDefect(() => warn(operation, "it threw an unexpected error"))
    )

const warn = (operation: "read" | "written", problem: string): Effect.Effect<undefined> =>
  Effect.as(Effect.logWarning(`The token store could not be ${operation}: ${problem}`), undefined)
