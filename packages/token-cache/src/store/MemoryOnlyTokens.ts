import type { TokenKey } from "@secure-mcp/oauth-core"
import { TokenStore } from "./TokenStore.ts"

type Store = TokenStore["Service"]

/** Whether a store is asked at all about the token of a key. */
export const isStorable = (store: Store, key: TokenKey): boolean =>
  key.memoryOnly !== true && !TokenStore.isNone(store)

/**
 * A store that never sees what is in memory only (`TokenKey.memoryOnly`): no process but ours has the token of a caller.
 *
 * @param nothing the store that stores nothing
 */
export const withoutMemoryOnly = (store: Store, nothing: Store): Store => {
  const storeOf = (key: TokenKey): Store => (isStorable(store, key) ? store : nothing)
  return {
    ...store,
    get: (key) => storeOf(key).get(key),
    set: (key, ...rest) => storeOf(key).set(key, ...rest),
    remove: (key) => storeOf(key).remove(key),
    lease: (key, timeToLive) => storeOf(key).lease(key, timeToLive)
  }
}
