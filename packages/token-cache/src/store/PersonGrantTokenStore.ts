import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { TokenKey } from "@secure-mcp/oauth-core"
import { TokenStore } from "./TokenStore.ts"

/**
 * Stores what a person granted (`TokenKey.personal`), because only that person can grant it again. The client's own
 * tokens stay in the memory of the cache, and the durable store is never asked about them.
 *
 * @example
 * ```ts
 * import * as Layer from "effect/Layer"
 * import { FileTokenStore, PersonGrantTokenStore, SingleFlightTokenCache } from "@secure-mcp/token-cache"
 *
 * const store = PersonGrantTokenStore.layer(FileTokenStore.layer({ directory: "/var/lib/gateway/tokens" }))
 * export const cache = SingleFlightTokenCache.layer.pipe(Layer.provide(store))
 * ```
 */
export const PersonGrantTokenStore = {
  /** @param durable where persons' tokens are stored. Its errors are those of the layer. */
  layer: <E, R>(durable: Layer.Layer<TokenStore, E, R>): Layer.Layer<TokenStore, E, R> =>
    Layer.effect(
      TokenStore,
      Effect.gen(function* () {
        const personal = yield* TokenStore
        const own = yield* Effect.provide(TokenStore, TokenStore.none)
        return divide(personal, own)
      })
    ).pipe(Layer.provide(durable))
}

type Store = TokenStore["Service"]

const divide = (personal: Store, own: Store): Store => {
  const storeOf = (key: TokenKey): Store => (key.personal ? personal : own)
  return {
    get: (key) => storeOf(key).get(key),
    set: (key, ...rest) => storeOf(key).set(key, ...rest),
    remove: (key) => storeOf(key).remove(key),
    // Whatever the durable store has is taken for a person's, so that everything that is listed can be removed.
    list: Effect.map(personal.list, (entries) =>
      entries.map(({ key, token }) => ({ key: { ...key, personal: true }, token }))
    ),
    checkWritable: personal.checkWritable,
    lease: (key, timeToLive) => storeOf(key).lease(key, timeToLive),
    changes: personal.changes
  }
}
