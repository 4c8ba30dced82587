import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberMap from "effect/FiberMap"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type {
  CachedToken,
  OAuthError,
  OAuthEvents,
  OAuthToken,
  StoreUnavailable,
  TokenCache,
  TokenCacheRequest,
  TokenKey
} from "@secure-mcp/oauth-core"
import { tokenKeyString } from "@secure-mcp/oauth-core"
import { orWarn, readQuietly } from "./acquisition/StoreAccess.ts"
import { makeTokenAcquisition } from "./acquisition/TokenAcquisition.ts"
import {
  beginRefresh,
  cacheNewGrant,
  endAcquisition,
  leaveAcquisition,
  type AcquisitionEnd
} from "./memory/AcquisitionState.ts"
import { slotOf, type Acquisition, type CacheState, type Obtained } from "./memory/CacheState.ts"
import {
  decide,
  tokenAtHand,
  type CheckStore,
  type Decision,
  type Hit,
  type Lead
} from "./memory/Decision.ts"
import { useSlot } from "./memory/Eviction.ts"
import type { MemoryToken } from "./memory/MemoryToken.ts"
import { currentMoment, momentOf } from "./memory/Moment.ts"
import { isBeingRemoved } from "./memory/RemovalState.ts"
import { dropRemoved, endStoreCheck } from "./memory/StoreCheckState.ts"
import type { TokenStore } from "./store/TokenStore.ts"

/** What the single flight needs. */
export interface SingleFlightOptions {
  readonly state: Ref.Ref<CacheState>
  readonly store: TokenStore["Service"]
  readonly events: (typeof OAuthEvents)["Service"]
  readonly storeCheckInterval: Duration.Duration
  /** Runs whenever a token came into memory. */
  readonly cached: (token: MemoryToken | undefined) => Effect.Effect<void>
}

/**
 * `TokenCache.get` and `put`: one atomic transition tells each caller whether to serve, join, lead or wait.
 * Acquisitions run in fibers of the surrounding scope, so that they outlive the caller who started them.
 */
export const makeSingleFlight = Effect.fnUntraced(function* (options: SingleFlightOptions) {
  const { cached, events, state, store, storeCheckInterval } = options
  const acquisition = makeTokenAcquisition(store, events)
  const acquisitions = yield* FiberMap.make<number>()
  const storeChecks = yield* FiberSet.make()
  const clock = yield* Clock.Clock
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const countHit =
    events.countHit ??
    ((serverName: string) => void runFork(events.publish({ _tag: "CacheHit", serverName })))

  const get: TokenCache["Service"]["get"] = (request) => {
    const id = tokenKeyString(request.key)
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(askFor(request, id), (decision) =>
        decision._tag === "Hit"
          ? serve(decision, request, id)
          : Effect.withSpan(follow(decision, request, id, restore), "TokenCache.get", {
              attributes: { server_name: request.key.serverName }
            })
      )
    )
  }

  const peek: TokenCache["Service"]["peek"] = ({ expiryBuffer, key }) => {
    const id = tokenKeyString(key)
    const current = Ref.getUnsafe(state)
    const slot = slotOf(current, id)
    if (slot === undefined) return undefined
    const token = tokenAtHand(slot, momentOf(clock).monotonic, { expiryBuffer, storeCheckInterval })
    if (token === undefined) return undefined
    if (slot.lastUsed !== current.uses) Effect.runSync(Ref.set(state, useSlot(current, id, slot)))
    countHit(key.serverName)
    return token
  }

  const askFor = Effect.fnUntraced(function* (request: Omit<TokenCacheRequest, "acquire">, id: string) {
    const { monotonic } = yield* currentMoment
    const asked = { ...request, id, storeCheckInterval, outcome: Deferred.makeUnsafe<Outcome>() }
    const decision = yield* Ref.modify(state, (current) => decide(current, monotonic, asked))
    if (decision.expired) yield* publish("TokenExpired", request)
    return decision
  })

  const askAgain = (request: TokenCacheRequest, id: string, restore: Restore) =>
    Effect.flatMap(askFor(request, id), (decision) => follow(decision, request, id, restore))

  const follow = (
    decision: Decision,
    request: TokenCacheRequest,
    id: string,
    restore: Restore
  ): Effect.Effect<CachedToken, OAuthError> => {
    switch (decision._tag) {
      case "Hit":
        return serve(decision, request, id)
      case "Fail":
        return Effect.andThen(publish("CacheMiss", request), Effect.fail(decision.error))
      case "Wait":
        return Effect.andThen(restore(decision.end), askAgain(request, id, restore))
      case "CheckStore":
        return startStoreCheck(decision, request.key, id).pipe(
          Effect.andThen(restore(Deferred.await(decision.done))),
          Effect.andThen(askAgain(request, id, restore))
        )
      case "Join":
        return Effect.andThen(
          publish("CacheMiss", request),
          awaitAnswer(decision.acquisition, request, id, restore)
        )
      case "Lead":
        return Effect.andThen(
          lead(id, decision, request),
          awaitAnswer(decision.acquisition, request, id, restore)
        )
    }
  }

  const serve = Effect.fnUntraced(function* (hit: Hit, request: TokenCacheRequest, id: string) {
    yield* publish("CacheHit", request)
    if (hit.storeCheck !== undefined) yield* startStoreCheck(hit.storeCheck, request.key, id)
    if (hit.renewal !== undefined) yield* lead(id, hit.renewal, request)
    return { token: hit.token, source: "cache" } satisfies CachedToken
  })

  /**
   * A caller that asked for a new token may have joined an acquisition whose leader was satisfied by the store. Then
   * it asks again.
   */
  const awaitAnswer = (
    joined: Acquisition,
    request: TokenCacheRequest,
    id: string,
    restore: Restore
  ): Effect.Effect<CachedToken, OAuthError> =>
    Effect.flatMap(restore(outcomeOf(id, joined)), (exit) => {
      if (Exit.isFailure(exit)) return Effect.failCause(exit.cause)
      const { answer } = exit.value
      return answer !== undefined && satisfies(request, answer)
        ? Effect.succeed(answer)
        : askAgain(request, id, restore)
    })

  const outcomeOf = (id: string, { id: acquisitionId, outcome }: Acquisition) =>
    Effect.onInterrupt(Deferred.await(outcome), () => abandon(id, acquisitionId))

  /** The last waiter that leaves ends the acquisition, and waits for its end, as if it had been its own. */
  const abandon = (id: string, acquisitionId: number) =>
    Effect.flatMap(
      Ref.modify(state, (current) => leaveAcquisition(current, id, acquisitionId)),
      (abandoned) => (abandoned ? FiberMap.remove(acquisitions, acquisitionId) : Effect.void)
    )

  const publish = (
    _tag: "CacheHit" | "CacheMiss" | "TokenExpired",
    { key }: Pick<TokenCacheRequest, "key">
  ) => events.publish({ _tag, serverName: key.serverName })

  /** Waits for what is under way, and then takes the token in. Fails when the store does not take it. */
  const put = (key: TokenKey, token: OAuthToken): Effect.Effect<void, StoreUnavailable> =>
    Effect.withSpan(
      Effect.uninterruptibleMask((restore) => putInTurn(key, token, restore)),
      "TokenCache.put",
      { attributes: { server_name: key.serverName } }
    )

  const putInTurn = (
    key: TokenKey,
    token: OAuthToken,
    restore: Restore
  ): Effect.Effect<void, StoreUnavailable> => {
    const id = tokenKeyString(key)
    const again = Effect.suspend(() => putInTurn(key, token, restore))
    return Effect.flatMap(
      askFor({ key, expiryBuffer: Duration.zero, forceRefresh: true }, id),
      (decision) => {
        switch (decision._tag) {
          case "Lead":
            return launch(id, decision, key, acquisition.put(key, token)).pipe(
              Effect.andThen(Deferred.await(decision.acquisition.outcome)),
              Effect.flatMap((exit) => storeProblemOf(exit) ?? Effect.void)
            )
          case "Join":
            return Effect.andThen(restore(outcomeOf(id, decision.acquisition)), again)
          case "Wait":
            return Effect.andThen(restore(decision.end), again)
          case "CheckStore":
          case "Hit":
          case "Fail":
            return again
        }
      }
    )
  }

  const lead = (id: string, decision: Lead, request: TokenCacheRequest) => {
    const { id: acquisitionId } = decision.acquisition
    const change = (next: (current: CacheState) => CacheState) => Ref.update(state, next)
    return launch(
      id,
      decision,
      request.key,
      acquisition.obtain(decision, request, {
        beginRefresh: (previous) => change((current) => beginRefresh(current, id, acquisitionId, previous)),
        cacheNewGrant: (grant) =>
          Effect.andThen(
            change((current) => cacheNewGrant(current, id, acquisitionId, grant)),
            cached(grant)
          ),
        dropRemoved: change((current) => dropRemoved(current, id, decision.cached))
      })
    )
  }

  /** After the scope was closed nothing can be launched: the caller is interrupted, and so is who joined it. */
  const launch = (id: string, lead: Lead, key: TokenKey, work: Effect.Effect<Obtained, OAuthError>) =>
    FiberMap.run(acquisitions, lead.acquisition.id, Effect.uninterruptible(run(id, lead, key, work))).pipe(
      Effect.onError((cause) => finish(id, lead, Exit.failCause(cause)))
    )

  const run = Effect.fnUntraced(function* (
    id: string,
    lead: Lead,
    key: TokenKey,
    work: Effect.Effect<Obtained, OAuthError>
  ) {
    const exit = yield* Effect.exit(work)
    if (lead.acquisition.background && Exit.isFailure(exit)) yield* warnOfFailure(exit)
    // The removal may have found an empty store, and now there is a token in it. What a renewal finds after a removal
    // comes from a login, which the removal does not concern.
    if (Exit.isSuccess(exit) && exit.value.isFirst === true && isBeingRemoved(yield* Ref.get(state), id))
      yield* orWarn("written")(store.remove(key))
    yield* finish(id, lead, exit)
  })

  /** However an acquisition ends, everybody who waits is answered. Step `finish` of docs/models/renewal.pml. */
  const finish = Effect.fnUntraced(function* (id: string, lead: Lead, exit: Outcome) {
    const { monotonic } = yield* currentMoment
    const removal = yield* Ref.modify(state, (current) => endAcquisition(current, id, monotonic, endOf(exit)))
    if (Exit.isSuccess(exit)) yield* cached(exit.value.cached)
    yield* Deferred.succeed(lead.acquisition.outcome, exit)
    if (removal !== undefined) yield* Deferred.succeed(removal.ended, undefined)
  })

  /** Runs in the surrounding scope, because others may wait for it, too. */
  const startStoreCheck = (check: CheckStore, key: TokenKey, id: string) =>
    FiberSet.run(storeChecks, Effect.uninterruptible(checkStore(check, key, id))).pipe(
      Effect.onError(() => Deferred.succeed(check.done, undefined))
    )

  const checkStore = Effect.fnUntraced(function* (check: CheckStore, key: TokenKey, id: string) {
    const entry = yield* readQuietly(store, key)
    const now = yield* currentMoment
    const wasRemoved = yield* Ref.modify(state, (current) =>
      endStoreCheck(current, id, check.cached, entry, now)
    )
    if (wasRemoved)
      yield* Effect.logInfo(`The token of ${key.serverName} was removed from the store, and is used no more`)
    yield* Deferred.succeed(check.done, undefined)
  })

  return { get, peek, put }
})

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

type Outcome = Exit.Exit<Obtained, OAuthError>

const satisfies = (request: TokenCacheRequest, { source, token }: CachedToken): boolean =>
  source === "acquired" ||
  (request.forceRefresh !== true &&
    [request.refused, request.insufficient].every(
      (unwanted) => unwanted === undefined || !token.isAccessToken(unwanted)
    ))

const storeProblemOf = (exit: Outcome): StoreUnavailable | undefined =>
  Exit.isSuccess(exit) ? exit.value.storeProblem : undefined

const endOf = (exit: Outcome): AcquisitionEnd => {
  if (Exit.isSuccess(exit)) return { _tag: "Obtained", cached: exit.value.cached }
  return Exit.hasInterrupts(exit)
    ? { _tag: "Interrupted" }
    : { _tag: "Failed", error: Option.getOrUndefined(Exit.findErrorOption(exit)) }
}

/** Nobody waits for a renewal in the background, so the log is the only place to tell. */
const warnOfFailure = (exit: Outcome): Effect.Effect<void> => {
  if (Exit.hasInterrupts(exit)) return Effect.void
  const problem = Option.match(Exit.findErrorOption(exit), {
    onNone: () => "an unexpected error",
    onSome: (error) => error.message
  })
  return Effect.logWarning(`The token is served until it expires, but could not be renewed: ${problem}`)
}
