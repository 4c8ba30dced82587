import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { OAuthError, OAuthEvents, TokenCache, type TokenKey } from "@secure-mcp/oauth-core"
import { makeLateWrites } from "./acquisition/LateWrites.ts"
import { orFail } from "./acquisition/StoreAccess.ts"
import { withStoreSpans } from "./acquisition/StoreSpans.ts"
import { makeTokenRemoval } from "./acquisition/TokenRemoval.ts"
import { isKnown, servableTokens } from "./memory/CacheSlot.ts"
import { dropExpired, expire, mayExpire } from "./memory/Expiry.ts"
import { toMemoryToken } from "./memory/MemoryToken.ts"
import { currentMoment } from "./memory/Moment.ts"
import { makeSweeper } from "./memory/Sweeper.ts"
import { makeTokenSlots, TokenCapacity } from "./memory/TokenSlots.ts"
import { makeSingleFlight } from "./SingleFlight.ts"
import { isStorable, withoutMemoryOnly } from "./store/MemoryOnlyTokens.ts"
import { isTokenKey } from "./store/LoginRecordKey.ts"
import { tokenOfEntry } from "./store/StoreEntry.ts"
import { TokenStore } from "./store/TokenStore.ts"

/** How the cache treats its store. */
export interface SingleFlightTokenCacheOptions {
  /**
   * How long a token in memory is served without a look into the store: a token that another process removed there is
   * used no longer than this. The store is asked half an interval after the last look, in the background; a caller
   * waits for it only when nobody has asked for the token during a whole interval. Before a renewal the store is
   * always asked. Default: 4 seconds.
   */
  readonly storeCheckInterval?: Duration.Input | undefined
}

const layerOptions = (options: SingleFlightTokenCacheOptions): Layer.Layer<TokenCache, never, TokenStore> =>
  Layer.effect(
    TokenCache,
    Effect.suspend(() => make(options))
  )

const layer: Layer.Layer<TokenCache, never, TokenStore> = layerOptions({})

const layerMemory: Layer.Layer<TokenCache> = Layer.provide(layer, TokenStore.none)

/**
 * `TokenCache` with one acquisition at a time for each key, renewal ahead of expiry in the background, and lifetimes
 * on the monotonic clock.
 *
 * - `layer` stores its tokens in a `TokenStore` of your choice.
 * - `layerOptions(options)` is the same with other options.
 * - `layerMemory` has them in memory only.
 *
 * @example
 * ```ts
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 * import { TokenCache, type OAuthToken, type TokenKey } from "@secure-mcp/oauth-core"
 * import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
 *
 * const accessToken = (key: TokenKey, askServer: Effect.Effect<OAuthToken>) =>
 *   Effect.gen(function* () {
 *     const cache = yield* TokenCache
 *     const request = { key, expiryBuffer: Duration.minutes(5), acquire: () => askServer }
 *     const { token } = yield* cache.get(request)
 *     return token.accessToken
 *   })
 *
 * export const run = (key: TokenKey, askServer: Effect.Effect<OAuthToken>) =>
 *   Effect.provide(accessToken(key, askServer), SingleFlightTokenCache.layerMemory)
 * ```
 */
export const SingleFlightTokenCache = { layer, layerOptions, layerMemory }

const make = Effect.fnUntraced(function* ({
  storeCheckInterval = Duration.seconds(4)
}: SingleFlightTokenCacheOptions) {
  const nothing = yield* Effect.provide(TokenStore, TokenStore.none)
  const whole = yield* TokenStore
  const store = withStoreSpans(withoutMemoryOnly(whole, nothing))
  const events = yield* OAuthEvents
  const slots = makeTokenSlots(Math.max(1, yield* TokenCapacity))

  const dropNow = Effect.gen(function* () {
    const now = yield* currentMoment
    for (const { serverName } of dropExpired(slots, now.monotonic))
      yield* events.publish({ _tag: "TokenExpired", serverName })
    return now
  })

  const sweeper = yield* makeSweeper(Effect.map(dropNow, () => mayExpire(slots)))
  const lateWrites = yield* makeLateWrites(slots)
  const { get, peek, put } = yield* makeSingleFlight({
    slots,
    store,
    isStorable: (key) => isStorable(whole, key),
    events,
    storeCheckInterval: Duration.fromInputUnsafe(storeCheckInterval),
    cached: (token) =>
      token?.pendingWrite === undefined ? sweeper.wake : Effect.andThen(sweeper.wake, lateWrites.wake)
  })

  const list = Effect.fn("TokenCache.list")(function* () {
    const stored = yield* orFail("list the tokens", "*")(store.list)
    const now = yield* dropNow
    const others = stored.filter(
      ({ key, token }) => isTokenKey(key) && !isKnown(slots.get(key)) && toMemoryToken(token, now).mayServe
    )
    return [...servableTokens(slots.all(), now.monotonic), ...others]
  })

  const find = Effect.fn("TokenCache.find")(function* (key: TokenKey) {
    const { slot } = expire(slots.get(key), (yield* currentMoment).monotonic)
    if (isKnown(slot)) return slot.cached?.token
    return tokenOfEntry(yield* orFail("find the token", key.serverName)(store.get(key)))
  })

  return TokenCache.of({
    get,
    peek,
    find,
    put: (key, token) =>
      Effect.catch(put(key, token), (reason) =>
        OAuthError.fail({ operation: "keep the token", serverName: key.serverName, reason })
      ),
    ...makeTokenRemoval(slots, store, events),
    list: list()
  })
})
