import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberMap from "effect/FiberMap"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import type {
  CachedToken,
  OAuthError,
  OAuthEvents,
  OAuthToken,
  StoreUnavailable,
  TokenCache,
  TokenCacheRequest,
  TokenKey,
  TokenPeek
} from "@secure-mcp/oauth-core"
import { inSpan } from "@secure-mcp/oauth-core/internal"
import { makeChangeReader } from "./acquisition/ChangeReader.ts"
import { orWarn, readQuietly } from "./acquisition/StoreAccess.ts"
import { makeTokenAcquisition } from "./acquisition/TokenAcquisition.ts"
import {
  beginRefresh,
  cacheNewGrant,
  endAcquisition,
  leaveAcquisition,
  type AcquisitionEnd
} from "./memory/AcquisitionState.ts"
import { isBeingRemoved, type Acquisition, type CacheSlot, type Obtained } from "./memory/CacheSlot.ts"
import {
  decide,
  tokenAtHand,
  type CheckStore,
  type Decision,
  type Hit,
  type Lead
} from "./memory/Decision.ts"
import type { MemoryToken } from "./memory/MemoryToken.ts"
import { currentMoment, monotonicTime } from "./memory/Moment.ts"
import { dropRemoved, endStoreCheck, endUnchangedCheck } from "./memory/StoreCheckState.ts"
import type { TokenSlots } from "./memory/TokenSlots.ts"
import type { TokenStore } from "./store/TokenStore.ts"

/** What the single flight needs. */
export interface SingleFlightOptions {
  readonly slots: TokenSlots
  readonly store: TokenStore["Service"]
  /** Whether the store is asked at all about the token of a key. */
  readonly isStorable: (key: TokenKey) => boolean
  readonly events: (typeof OAuthEvents)["Service"]
  readonly storeCheckInterval: Duration.Duration
  /** Runs whenever a token came into memory. */
  readonly cached: (token: MemoryToken | undefined) => Effect.Effect<void>
}

/**
 * `TokenCache.get`, `peek` and `put`: one atomic transition tells each caller whether to serve, join, lead or wait.
 * Acquisitions run in fibers of the surrounding scope, so that they outlive the caller who started them.
 */
export const makeSingleFlight = Effect.fnUntraced(function* (options: SingleFlightOptions) {
  const { cached, events, isStorable, slots, store, storeCheckInterval } = options
  const acquisition = makeTokenAcquisition(store, isStorable, events)
  const changes = makeChangeReader(store, storeCheckInterval)
  const acquisitions = yield* FiberMap.make<number>()
  const storeChecks = yield* FiberSet.make()
  const clock = yield* Clock.Clock
  const beginChanges = yield* FiberSet.runtime(storeChecks)<never>()
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const confirm = changes?.confirm
  let lastAcquisitionId = 0

  /** The most frequent case by far, so it is looked for first, and costs no more than a look into memory. */
  const tokenInMemory = ({ expiryBuffer, key }: TokenPeek): OAuthToken | undefined => {
    const slot = slots.look(key)
    return slot && tokenAtHand(slot, monotonicTime(clock), { expiryBuffer, storeCheckInterval, confirm })
  }

  const peek: TokenCache["Service"]["peek"] = (request) => {
    const token = tokenInMemory(request)
    if (token === undefined) return undefined
    if (events.countHit === undefined) runFork(publish("CacheHit", request))
    else events.countHit(request.key.serverName)
    return token
  }

  const get: TokenCache["Service"]["get"] = (request) =>
    Effect.suspend(() => {
      const token = hasWish(request) ? undefined : tokenInMemory(request)
      return token === undefined ? getInTurn(request) : served(token, request)
    })

  const getInTurn = (request: TokenCacheRequest) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(askFor(request), (decision) =>
        decision._tag === "Hit"
          ? serve(decision, request)
          : inSpan("TokenCache.get", { server_name: request.key.serverName })(
              follow(decision, request, restore)
            )
      )
    )

  const askFor = (request: Omit<TokenCacheRequest, "acquire">) =>
    Effect.flatMap(currentMoment, ({ monotonic }) => {
      const asked = { ...request, storeCheckInterval, confirm, acquisitionId: ++lastAcquisitionId }
      const decision = slots.use(request.key, (slot) => decide(slot, monotonic, asked))
      return decision.expired
        ? Effect.as(publish("TokenExpired", request), decision)
        : Effect.succeed(decision)
    })

  const askAgain = (request: TokenCacheRequest, restore: Restore) =>
    Effect.flatMap(askFor(request), (decision) => follow(decision, request, restore))

  const follow = (
    decision: Decision,
    request: TokenCacheRequest,
    restore: Restore
  ): Effect.Effect<CachedToken, OAuthError> => {
    switch (decision._tag) {
      case "Hit":
        return serve(decision, request)
      case "Fail":
        return Effect.andThen(publish("CacheMiss", request), Effect.fail(decision.error))
      case "Wait":
        return Effect.andThen(restore(decision.end), askAgain(request, restore))
      case "CheckStore":
        return startStoreCheck(decision, request.key).pipe(
          Effect.andThen(restore(Deferred.await(decision.done))),
          Effect.andThen(askAgain(request, restore))
        )
      case "Join":
        return Effect.andThen(
          publish("CacheMiss", request),
          awaitAnswer(decision.acquisition, request, restore)
        )
      case "Lead":
        return Effect.andThen(lead(decision, request), awaitAnswer(decision.acquisition, request, restore))
    }
  }

  const serve = Effect.fnUntraced(function* (hit: Hit, request: TokenCacheRequest) {
    const answer = yield* served(hit.token, request)
    if (hit.storeCheck !== undefined) yield* startStoreCheck(hit.storeCheck, request.key)
    if (hit.renewal !== undefined) yield* lead(hit.renewal, request)
    return answer
  })

  const served = (token: OAuthToken, request: TokenCacheRequest): Effect.Effect<CachedToken> => {
    const answer: CachedToken = { token, source: "cache" }
    if (events.countHit === undefined) return Effect.as(publish("CacheHit", request), answer)
    events.countHit(request.key.serverName)
    return Effect.succeed(answer)
  }

  /**
   * A caller that asked for a new token may have joined an acquisition whose leader was satisfied by the store. Then
   * it asks again.
   */
  const awaitAnswer = (
    joined: Acquisition,
    request: TokenCacheRequest,
    restore: Restore
  ): Effect.Effect<CachedToken, OAuthError> =>
    Effect.flatMap(restore(outcomeOf(joined, request.key)), (exit) => {
      if (Exit.isFailure(exit)) return Effect.failCause(exit.cause)
      const { answer } = exit.value
      return answer !== undefined && satisfies(request, answer)
        ? Effect.succeed(answer)
        : askAgain(request, restore)
    })

  const outcomeOf = ({ id, outcome }: Acquisition, key: TokenKey) =>
    Effect.onInterrupt(Deferred.await(outcome), () => abandon(id, key))

  /** The last waiter that leaves ends the acquisition, and waits for its end, as if it had been its own. */
  const abandon = (id: number, key: TokenKey) =>
    slots.modify(key, (slot) => leaveAcquisition(slot, id)) ? FiberMap.remove(acquisitions, id) : Effect.void

  const publish = (
    _tag: "CacheHit" | "CacheMiss" | "TokenExpired",
    { key }: Pick<TokenCacheRequest, "key">
  ) => events.publish({ _tag, serverName: key.serverName })

  /** Waits for what is under way, and then takes the token in. Fails when the store does not take it. */
  const put = (key: TokenKey, token: OAuthToken): Effect.Effect<void, StoreUnavailable> =>
    inSpan("TokenCache.put", { server_name: key.serverName })(
      Effect.uninterruptibleMask((restore) => putInTurn(key, token, restore))
    )

  const putInTurn = (
    key: TokenKey,
    token: OAuthToken,
    restore: Restore
  ): Effect.Effect<void, StoreUnavailable> => {
    const again = Effect.suspend(() => putInTurn(key, token, restore))
    return Effect.flatMap(askFor({ key, expiryBuffer: Duration.zero, forceRefresh: true }), (decision) => {
      switch (decision._tag) {
        case "Lead":
          return launch(decision, key, acquisition.put(key, token)).pipe(
            Effect.andThen(Deferred.await(decision.acquisition.outcome)),
            Effect.flatMap((exit) => storeProblemOf(exit) ?? Effect.void)
          )
        case "Join":
          return Effect.andThen(restore(outcomeOf(decision.acquisition, key)), again)
        case "Wait":
          return Effect.andThen(restore(decision.end), again)
        case "CheckStore":
        case "Hit":
        case "Fail":
          return again
      }
    })
  }

  const lead = (decision: Lead, request: TokenCacheRequest) => {
    const { id } = decision.acquisition
    if (changes?.isNew() === true) beginChanges(changes.begin)
    const change = (next: (slot: CacheSlot) => CacheSlot) =>
      Effect.sync(() => slots.modify(request.key, (slot) => [undefined, next(slot)]))
    return launch(
      decision,
      request.key,
      acquisition.obtain(decision, request, {
        beginRefresh: (previous) => change((slot) => beginRefresh(slot, id, previous)),
        cacheNewGrant: (grant) =>
          Effect.andThen(
            change((slot) => cacheNewGrant(slot, id, grant)),
            cached(grant)
          ),
        dropRemoved: change((slot) => dropRemoved(slot, decision.cached))
      })
    )
  }

  /** After the scope was closed nothing can be launched: the caller is interrupted, and so is who joined it. */
  const launch = (lead: Lead, key: TokenKey, work: Effect.Effect<Obtained, OAuthError>) =>
    FiberMap.run(acquisitions, lead.acquisition.id, Effect.uninterruptible(run(lead, key, work))).pipe(
      Effect.onError((cause) => finish(lead, key, Exit.failCause(cause)))
    )

  const run = Effect.fnUntraced(function* (
    lead: Lead,
    key: TokenKey,
    work: Effect.Effect<Obtained, OAuthError>
  ) {
    const exit = yield* Effect.exit(work)
    if (lead.acquisition.background && Exit.isFailure(exit)) yield* warnOfFailure(exit)
    // The removal may have found an empty store, and now there is a token in it. What a renewal finds after a removal
    // comes from a login, which the removal does not concern.
    if (Exit.isSuccess(exit) && exit.value.isFirst === true && isBeingRemoved(slots.get(key)))
      yield* orWarn("written")(store.remove(key))
    yield* finish(lead, key, exit)
  })

  /** However an acquisition ends, everybody who waits is answered. Step `finish` of docs/models/renewal.pml. */
  const finish = Effect.fnUntraced(function* (lead: Lead, key: TokenKey, exit: Outcome) {
    const { monotonic } = yield* currentMoment
    const removal = slots.use(key, (slot) => endAcquisition(slot, monotonic, endOf(exit)))
    if (Exit.isSuccess(exit)) yield* cached(exit.value.cached)
    yield* Deferred.succeed(lead.acquisition.outcome, exit)
    if (removal !== undefined) yield* Deferred.succeed(removal.ended, undefined)
  })

  /** Runs in the surrounding scope, because others may wait for it, too. */
  const startStoreCheck = (check: CheckStore, key: TokenKey) =>
    FiberSet.run(storeChecks, Effect.uninterruptible(checkStore(check, key))).pipe(
      Effect.onError(() => Deferred.succeed(check.done, undefined))
    )

  const checkStore = Effect.fnUntraced(function* (check: CheckStore, key: TokenKey) {
    const isUnchanged = changes !== undefined && (yield* changes.isUnchanged(key, check.cached))
    if (isUnchanged) slots.modify(key, (slot) => [undefined, endUnchangedCheck(slot)])
    else yield* askAbout(key, check)
    yield* Deferred.succeed(check.done, undefined)
  })

  const askAbout = Effect.fnUntraced(function* (key: TokenKey, check: CheckStore) {
    const asked = yield* currentMoment
    const entry = yield* readQuietly(store, key)
    const now = yield* currentMoment
    const wasRemoved = slots.modify(key, (slot) => endStoreCheck(slot, check.cached, entry, asked, now))
    if (wasRemoved)
      yield* Effect.logInfo(`The token of ${key.serverName} was removed from the store, and is used no more`)
  })

  return { get, peek, put }
})

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

type Outcome = Exit.Exit<Obtained, OAuthError>

/** Whether not every valid token will do. */
const hasWish = ({ forceRefresh, insufficient, refused }: TokenCacheRequest): boolean =>
  forceRefresh === true || refused !== undefined || insufficient !== undefined

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
