import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type {
  CachedToken,
  OAuthError,
  OAuthEvents,
  OAuthToken,
  StoreUnavailable,
  TokenCacheRequest,
  TokenKey
} from "@secure-mcp/oauth-core"
import type { Lead } from "./Decision.ts"
import { currentMoment, hold, isSameAccessToken, isServable, type HeldToken } from "./HeldToken.ts"
import { holdLease } from "./RefreshLock.ts"
import { guardedAcquire, sparing } from "./StoreGuard.ts"
import { consult, type Consulted } from "./StoredToken.ts"
import { orWarn } from "./StoreWarning.ts"
import { makeTokenKeeper, type Kept } from "./TokenKeeper.ts"
import type { TokenLease } from "./TokenLease.ts"
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
   * Looks into the store, takes the lease, looks again, acquires, writes to the store. Runs uninterruptible except
   * while it waits for the store's answer, for the lease or for the new token: once a token has been granted, it is
   * kept. A refresh token may be used up as soon as it has been sent, so the answer to that is waited for, too.
   *
   * @param commit runs before something begins that has to be brought to its end, with the token to be renewed
   */
  readonly obtain: (
    lead: Lead,
    request: TokenCacheRequest,
    commit: (previous: OAuthToken) => Effect.Effect<void>
  ) => Effect.Effect<Obtained, OAuthError>
  /** Takes in a token that was obtained elsewhere. */
  readonly adopt: (key: TokenKey, token: OAuthToken) => Effect.Effect<Obtained>
}

export const makeAcquisition = (
  store: TokenStore["Service"],
  events: (typeof OAuthEvents)["Service"]
): TokenAcquisition => {
  const keeper = makeTokenKeeper(store)

  const obtain: TokenAcquisition["obtain"] = Effect.fnUntraced(function* (lead, request, commit) {
    const { key } = request
    let unread: StoreUnavailable | undefined
    const found = yield* Effect.interruptible(store.get(key)).pipe(
      Effect.tapError((reason) => Effect.sync(() => (unread = reason))),
      orWarn("read")
    )
    const first = consult(found, lead, request, yield* currentMoment)
    if (!lead.acquisition.background)
      yield* events.publish({
        _tag: first.adopted === undefined ? "CacheMiss" : "CacheHit",
        serverName: key.serverName
      })
    if (first.adopted !== undefined) return served(first.adopted, "cache")

    /** Another process may have been at work since we looked; `stored` is new if we know that it was not there. */
    const consultAgain = (stored: OAuthToken | undefined) =>
      Effect.map(currentMoment, (now) => {
        const isNew = unread === undefined && !(stored && found && isSameAccessToken(stored, found))
        return consult(stored, lead, request, now, isNew)
      })
    const settled = Effect.flatMap(quietly(store.get(key)), consultAgain).pipe(
      Effect.map(({ adopted }) => adopted)
    )
    const asked = (yield* currentMoment).monotonic
    const turn = yield* takeTurn(request, first, settled).pipe(
      Effect.tapError((error) => publishFailure(request, first.previous, asked, error))
    )
    if (turn !== undefined && Result.isFailure(turn)) return served(turn.failure, "acquired")

    const lease = turn?.success
    const second = lease === undefined ? first : yield* consultAgain(lease.found)
    if (second.adopted !== undefined) return served(second.adopted, "acquired")
    return yield* replace({ request, consulted: second, lease, unread, commit })
  }, Effect.scoped)

  /** While the store cannot be asked there is no lease, and nothing may be used that is good for one use. */
  const takeTurn = (
    { key }: TokenCacheRequest,
    { previous }: Consulted,
    settled: Effect.Effect<HeldToken | undefined>
  ): Effect.Effect<Result.Result<TokenLease, HeldToken> | undefined, OAuthError, Scope.Scope> => {
    const turn = holdLease(store, key, settled)
    return previous?.refreshToken === undefined ? orWarn("locked")(turn) : sparing(key.serverName)(turn)
  }

  const replace = Effect.fnUntraced(function* (replacement: Replacement) {
    const { commit, consulted, lease, request } = replacement
    const { previous, refused } = consulted
    if (refused !== undefined) yield* keeper.withdraw(request.key, refused, lease)
    if (previous?.refreshToken !== undefined) yield* commit(previous)
    return yield* acquire(replacement).pipe(
      Effect.flatMap((token) => keeper.keep(request.key, token, previous, lease)),
      Effect.map(obtained),
      Effect.catch((error) => unlessOutrun(request.key, previous, error))
    )
  })

  const acquire = Effect.fnUntraced(function* ({ consulted: { previous }, request, unread }: Replacement) {
    const start = (yield* currentMoment).monotonic
    const acquisition = guardedAcquire(store, request, previous, unread)
    const token = yield* (
      previous?.refreshToken === undefined ? Effect.interruptible(acquisition) : acquisition
    ).pipe(Effect.tapError((error) => publishFailure(request, previous, start, error)))
    yield* events.publish({
      _tag: "TokenAcquired",
      serverName: request.key.serverName,
      duration: yield* since(start),
      refresh: previous !== undefined
    })
    return token
  })

  const publishFailure = Effect.fnUntraced(function* (
    { key: { serverName } }: TokenCacheRequest,
    previous: OAuthToken | undefined,
    start: number,
    { reason }: OAuthError
  ) {
    yield* events.publish({
      _tag: "AcquisitionFailed",
      serverName,
      duration: yield* since(start),
      refresh: previous !== undefined,
      reason: reason._tag
    })
  })

  /** A grant that seems to have ended may have gone on elsewhere: in a process whose lease ran out, or by a login. */
  const unlessOutrun = Effect.fnUntraced(function* (
    key: TokenKey,
    previous: OAuthToken | undefined,
    error: OAuthError
  ) {
    if (previous === undefined || error.reason._tag !== "AuthorizationRequired") return yield* error
    const stored = yield* orWarn("read")(store.get(key))
    if (stored === undefined || isSameAccessToken(stored, previous)) return yield* error
    const now = yield* currentMoment
    const held = hold(stored, now)
    return isServable(held, now.monotonic) ? served(held, "acquired") : yield* error
  })

  return {
    obtain,
    adopt: (key, token) => Effect.map(keeper.keep(key, token, token, undefined), obtained)
  }
}

/** A token about to be replaced, or to be had for the first time. */
interface Replacement {
  readonly request: TokenCacheRequest
  readonly consulted: Consulted
  readonly lease: TokenLease | undefined
  /** Why the store could not be read, if it could not. */
  readonly unread: StoreUnavailable | undefined
  readonly commit: (previous: OAuthToken) => Effect.Effect<void>
}

const since = (start: number): Effect.Effect<Duration.Duration> =>
  Effect.map(currentMoment, ({ monotonic }) => Duration.millis(monotonic - start))

/** For a look that is taken again and again. */
const quietly = <A>(effect: Effect.Effect<A, StoreUnavailable>): Effect.Effect<A | undefined> =>
  effect.pipe(
    Effect.orElseSucceed(() => undefined),
    Effect.catchDefect(() => Effect.undefined)
  )

const served = (held: HeldToken, source: CachedToken["source"]): Obtained => ({
  result: { token: held.token, source },
  held
})

const obtained = ({ held, token, unstored }: Kept): Obtained => ({
  result: { token, source: "acquired" },
  held,
  unstored
})
