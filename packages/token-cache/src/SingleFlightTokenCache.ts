import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import {
  OAuthError,
  OAuthEvents,
  TokenCache,
  tokenKeyString,
  type StoreUnavailable,
  type TokenKey
} from "@secure-mcp/oauth-core"
import { currentMoment, hold } from "./HeldToken.ts"
import { makeLateWrites } from "./LateWrites.ts"
import { makeSingleFlight } from "./SingleFlight.ts"
import { makeSweeper } from "./Sweeper.ts"
import { TokenCapacity } from "./TokenCapacity.ts"
import {
  beginRemoval,
  emptySlots,
  endRemoval,
  isKnown,
  mayEnd,
  servable,
  sweep,
  type TokenSlots
} from "./TokenSlots.ts"
import { TokenStore } from "./TokenStore.ts"

/** The layer without a store. The tokens in use are in memory; the store is asked only about others. */
const layer: Layer.Layer<TokenCache, never, TokenStore> = Layer.effect(
  TokenCache,
  Effect.suspend(() => make)
).pipe(Layer.provide(SecureRandom.layerWebCrypto))

/**
 * `TokenCache` with one acquisition at a time for each key, renewal ahead of expiry in the background, and
 * lifetimes on the monotonic clock.
 *
 * - `layer` keeps its tokens in a `TokenStore` of your choice.
 * - `layerMemory` keeps them in memory only.
 */
export const SingleFlightTokenCache = {
  layer,
  layerMemory: layer.pipe(Layer.provide(TokenStore.layerMemory))
}

const make = Effect.gen(function* () {
  const store = yield* TokenStore
  const events = yield* OAuthEvents
  const random = yield* SecureRandom.SecureRandom
  const state = yield* Ref.make(emptySlots(Math.max(1, yield* TokenCapacity)))

  const dropExpired = Effect.gen(function* () {
    const now = yield* currentMoment
    const expired = yield* Ref.modify(state, (slots) => sweep(slots, now.monotonic))
    for (const { serverName } of expired) yield* events.publish({ _tag: "TokenExpired", serverName })
    return now
  })

  const sweeper = yield* makeSweeper(
    Effect.andThen(
      dropExpired,
      Effect.map(Ref.get(state), (slots) => mayEnd(slots))
    )
  )
  const lateWrites = yield* makeLateWrites(state)
  const { get, put } = yield* makeSingleFlight({
    state,
    store,
    events,
    kept: (held) =>
      held?.unstored === undefined ? sweeper.wake : Effect.andThen(sweeper.wake, lateWrites.wake)
  })

  const invalidate = Effect.fnUntraced(function* (key: TokenKey) {
    const id = tokenKeyString(key)
    const ended = Deferred.makeUnsafe<void>()
    const begun = yield* Ref.modify(state, (slots) => beginRemoval(slots, id, key, ended))
    // The caller before this one gets the token; it is forgotten for this one just the same.
    if (begun.already) return undefined
    const removed = yield* store.remove(key).pipe(
      Effect.ensuring(endedRemoval(state, id)),
      Effect.catch((reason) => fail("invalidate the token", key.serverName, reason))
    )
    const token = begun.held?.token ?? removed
    if (token !== undefined) yield* events.publish({ _tag: "TokenInvalidated", serverName: key.serverName })
    return token
  }, Effect.uninterruptible)

  const list = Effect.gen(function* () {
    const stored = yield* store.list.pipe(Effect.catch((reason) => fail("list the tokens", "*", reason)))
    const now = yield* dropExpired
    const slots = yield* Ref.get(state)
    const others = stored.filter(
      ({ key, token }) => !isKnown(slots, tokenKeyString(key)) && !hold(token, now).spent
    )
    return [...servable(slots, now.monotonic), ...others]
  })

  const fail = (operation: string, serverName: string, reason: StoreUnavailable) =>
    Effect.flatMap(random.uuidV4(), (correlationId) =>
      Effect.fail(new OAuthError({ operation, serverName, correlationId, reason }))
    )

  return TokenCache.of({
    get,
    put: (key, token) =>
      Effect.catch(put(key, token), (reason) => fail("keep the token", key.serverName, reason)),
    invalidate,
    list
  })
})

const endedRemoval = (state: Ref.Ref<TokenSlots>, id: string): Effect.Effect<void> =>
  Effect.flatMap(
    Ref.modify(state, (slots) => endRemoval(slots, id)),
    (removal) =>
      removal === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(removal.ended, undefined))
  )
