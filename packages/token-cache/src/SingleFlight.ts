import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberMap from "effect/FiberMap"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import {
  tokenKeyString,
  type CachedToken,
  type OAuthError,
  type OAuthEvents,
  type OAuthToken,
  type StoreUnavailable,
  type TokenCache,
  type TokenCacheRequest,
  type TokenKey
} from "@secure-mcp/oauth-core"
import { decide, type Asked, type Lead } from "./Decision.ts"
import { currentMoment, hold, type HeldToken } from "./HeldToken.ts"
import { orWarn } from "./StoreWarning.ts"
import { makeAcquisition, type Obtained } from "./TokenAcquisition.ts"
import {
  commit,
  isBeingRemoved,
  land,
  leave,
  type Acquisition,
  type Landing,
  type TokenSlots
} from "./TokenSlots.ts"
import type { TokenStore } from "./TokenStore.ts"

/**
 * `TokenCache.get` and `put`: every caller is told by one atomic transition whether it hits, joins or leads. Acquisitions run
 * in fibers of the surrounding scope, so that they outlive the caller who started them.
 */
export const makeSingleFlight = Effect.fnUntraced(function* ({
  events,
  kept,
  state,
  store
}: {
  readonly state: Ref.Ref<TokenSlots>
  readonly store: TokenStore["Service"]
  readonly events: (typeof OAuthEvents)["Service"]
  /** Runs whenever a token was obtained, with what is held of it. */
  readonly kept: (held: HeldToken | undefined) => Effect.Effect<void>
}) {
  const { adopt, obtain } = makeAcquisition(store, events)
  const acquisitions = yield* FiberMap.make<number>()

  const get: TokenCache["Service"]["get"] = (request) =>
    Effect.uninterruptibleMask((restore) => attempt(request, tokenKeyString(request.key), restore))

  const attempt = Effect.fnUntraced(function* (request: TokenCacheRequest, id: string, restore: Restore) {
    while (true) {
      const decision = yield* ask({ ...request, id, outcome: Deferred.makeUnsafe() })
      switch (decision._tag) {
        case "Hit":
          yield* publish("CacheHit", request)
          if (decision.renewal !== undefined) yield* lead(id, decision.renewal, request)
          return { token: decision.token, source: "cache" } satisfies CachedToken
        case "Wait":
          yield* restore(decision.end)
          continue
        case "Join":
          yield* publish("CacheMiss", request)
          break
        case "Lead":
          yield* lead(id, decision, request)
      }
      const exit = yield* restore(outcomeOf(id, decision.acquisition))
      if (Exit.isFailure(exit) || isAnswer(request, exit.value)) return yield* exit
    }
  })

  /**
   * Waits for what is on its way, so that it does not come after the token, and then takes its turn. Fails when the
   * store does not take the token, which is served from memory all the same.
   */
  const put = (key: TokenKey, token: OAuthToken): Effect.Effect<void, StoreUnavailable> =>
    Effect.uninterruptibleMask(
      Effect.fnUntraced(function* (restore) {
        const id = tokenKeyString(key)
        while (true) {
          const outcome = Deferred.makeUnsafe<Exit.Exit<CachedToken, OAuthError>>()
          const decision = yield* ask({ key, id, outcome, expiryBuffer: Duration.zero, forceRefresh: true })
          if (decision._tag === "Lead") {
            const adopted = yield* Effect.cached(adopt(key, token))
            yield* launch(id, decision, key, adopted)
            yield* Deferred.await(outcome)
            const { unstored } = yield* adopted
            if (unstored !== undefined) return yield* unstored
            return
          }
          if (decision._tag === "Wait") yield* restore(decision.end)
          if (decision._tag === "Join") yield* restore(outcomeOf(id, decision.acquisition))
        }
      })
    )

  const outcomeOf = (id: string, { id: acquisitionId, outcome }: Acquisition) =>
    Effect.onInterrupt(Deferred.await(outcome), () => abandon(id, acquisitionId))

  const ask = Effect.fnUntraced(function* (asked: Asked) {
    const now = yield* currentMoment
    const decision = yield* Ref.modify(state, (slots) => decide(slots, now.monotonic, asked))
    if (decision.expired) yield* publish("TokenExpired", asked)
    return decision
  })

  const publish = (
    _tag: "CacheHit" | "CacheMiss" | "TokenExpired",
    { key }: Pick<TokenCacheRequest, "key">
  ) => events.publish({ _tag, serverName: key.serverName })

  /** The last one who waited ends the acquisition, and waits for its end, as if it had been its own. */
  const abandon = (id: string, acquisitionId: number) =>
    Effect.flatMap(
      Ref.modify(state, (slots) => leave(slots, id, acquisitionId)),
      (abandoned) => (abandoned ? FiberMap.remove(acquisitions, acquisitionId) : Effect.void)
    )

  const lead = (id: string, decision: Lead, request: TokenCacheRequest) =>
    launch(
      id,
      decision,
      request.key,
      obtain(decision, request, (previous) =>
        Effect.flatMap(currentMoment, (now) => {
          const held = hold(previous, now)
          const isRefused = request.refused !== undefined && previous.isAccessToken(request.refused)
          const renewed = isRefused ? { ...held, spent: true } : held
          return Ref.update(state, (slots) => commit(slots, id, decision.acquisition.id, renewed))
        })
      )
    )

  /** After the scope has been closed nothing can be launched: the caller is interrupted, and so is who joined it. */
  const launch = (id: string, lead: Lead, key: TokenKey, work: Effect.Effect<Obtained, OAuthError>) =>
    FiberMap.run(acquisitions, lead.acquisition.id, Effect.uninterruptible(fly(id, lead, key, work))).pipe(
      Effect.onError((cause) => finish(id, lead, Exit.failCause(cause)))
    )

  const fly = Effect.fnUntraced(function* (
    id: string,
    lead: Lead,
    key: TokenKey,
    work: Effect.Effect<Obtained, OAuthError>
  ) {
    const exit = yield* Effect.exit(work)
    if (lead.acquisition.background && Exit.isFailure(exit)) yield* warnOfFailure(exit)
    // An invalidation that came during the acquisition found an empty store, perhaps; now there is a token in it.
    if (isBeingRemoved(yield* Ref.get(state), id)) yield* orWarn("written")(store.remove(key))
    yield* finish(id, lead, exit)
  })

  const finish = Effect.fnUntraced(function* (id: string, lead: Lead, exit: Exit.Exit<Obtained, OAuthError>) {
    const now = yield* currentMoment
    const removal = yield* Ref.modify(state, (slots) => land(slots, id, now.monotonic, landingOf(exit)))
    if (Exit.isSuccess(exit)) yield* kept(exit.value.held)
    yield* Deferred.succeed(
      lead.acquisition.outcome,
      Exit.map(exit, (obtained) => obtained.result)
    )
    if (removal !== undefined) yield* Deferred.succeed(removal.ended, undefined)
  })

  return { get, put }
})

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Who wants a new token, or any but this one, may have joined somebody who was content with the store's. */
const isAnswer = (request: TokenCacheRequest, { source, token }: CachedToken): boolean =>
  source === "acquired" ||
  (request.forceRefresh !== true &&
    [request.refused, request.insufficient].every(
      (unwanted) => unwanted === undefined || !token.isAccessToken(unwanted)
    ))

const landingOf = (exit: Exit.Exit<Obtained, OAuthError>): Landing => {
  if (Exit.isSuccess(exit)) return { _tag: "Obtained", held: exit.value.held }
  return { _tag: Exit.hasInterrupts(exit) ? "Interrupted" : "Failed" }
}

/** Nobody waits for a renewal in the background, so the log is the only place to tell. */
const warnOfFailure = (exit: Exit.Exit<Obtained, OAuthError>): Effect.Effect<void> => {
  if (Exit.hasInterrupts(exit)) return Effect.void
  const problem = Option.match(Exit.findErrorOption(exit), {
    onNone: () => "an unexpected error",
    onSome: (error) => error.message
  })
  return Effect.logWarning(`The token is served until it expires, but could not be renewed: ${problem}`)
}
