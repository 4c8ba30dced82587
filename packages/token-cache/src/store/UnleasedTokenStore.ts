import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { StoreUnavailable } from "@secure-mcp/oauth-core"
import { TokenStore } from "./TokenStore.ts"
import { makeUnleasedLeases, type UnleasedStore } from "./UnleasedLeases.ts"

/**
 * Port: a store without leases. It keeps tokens, and cannot say which process may replace one. Its type is another one
 * than that of `TokenStore`, so that a cache does not take it as it is: one of the two layers says who uses it.
 *
 * `keptTokensContract` of `@secure-mcp/token-cache/testing` checks it through one of them.
 *
 * @example
 * ```ts
 * import * as Layer from "effect/Layer"
 * import { SingleFlightTokenCache, UnleasedTokenStore } from "@secure-mcp/token-cache"
 *
 * declare const myStore: Layer.Layer<UnleasedTokenStore>
 *
 * export const cache = SingleFlightTokenCache.layer.pipe(
 *   Layer.provide(UnleasedTokenStore.forOneProcess),
 *   Layer.provide(myStore)
 * )
 * ```
 */
export class UnleasedTokenStore extends Context.Service<UnleasedTokenStore, UnleasedStore>()(
  "@secure-mcp/token-cache/UnleasedTokenStore"
) {
  /**
   * For a store that one process uses: leases and removals are in the memory of this process. With a second process on
   * the same store both may send one refresh token, which costs the grant.
   */
  static readonly forOneProcess: Layer.Layer<TokenStore, never, UnleasedTokenStore> = Layer.effect(
    TokenStore,
    Effect.flatMap(UnleasedTokenStore, makeUnleasedLeases)
  )

  /**
   * For a store that several processes share: takes the tokens that the client gets by itself, of which each process
   * may get its own. Whatever a person granted, and every refresh token, is refused with `StoreUnavailable`, before a
   * login begins: without leases two processes would use one refresh token. A token that one process removed is used by
   * others until it expires.
   */
  static readonly forSeveralProcesses: Layer.Layer<TokenStore, never, UnleasedTokenStore> = Layer.effect(
    TokenStore,
    Effect.map(Effect.flatMap(UnleasedTokenStore, makeUnleasedLeases), refuseRefreshTokens)
  )
}

type Store = TokenStore["Service"]

function refuseRefreshTokens(store: Store): Store {
  return {
    ...store,
    get: (key) => (key.personal ? refused : store.get(key)),
    set: (key, token, timeToLive) =>
      key.personal || token.refreshToken !== undefined ? refused : store.set(key, token, timeToLive),
    remove: (key) => (key.personal ? refused : store.remove(key)),
    lease: (key, timeToLive) =>
      key.personal
        ? refused
        : Effect.map(
            store.lease(key, timeToLive),
            (lease) =>
              lease && {
                ...lease,
                set: (token, life) => (token.refreshToken === undefined ? lease.set(token, life) : refused)
              }
          )
  }
}

const refused = Effect.fail(
  new StoreUnavailable({
    problem:
      "this token store has no leases, so that two processes could use one refresh token. Use a store with leases for what a person grants (FileTokenStore, RedisTokenStore, SqlTokenStore), or `UnleasedTokenStore.forOneProcess` if no other process uses this store"
  })
)
