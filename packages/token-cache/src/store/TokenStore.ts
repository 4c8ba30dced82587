import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { OAuthToken, StoreUnavailable, TokenCacheEntry, TokenKey } from "@secure-mcp/oauth-core"
import type { StoreChanges } from "./StoreChanges.ts"
import { notStorable, type StoreEntry } from "./StoreEntry.ts"
import type { TokenLease } from "./TokenLease.ts"

/**
 * Port: where tokens are stored. A store knows keys, tokens and times to live; whether a token may be served is not
 * its business.
 *
 * The cache reads it when it has no token in memory that may be served, before it replaces one, and every few seconds
 * while a token is in use (`storeCheckInterval`). Every operation must end in bounded time, because callers wait for it
 * and it is not interrupted. A store whose data leave the process must encrypt them (`makeTokenEncryption`).
 * `tokenStoreContract` of `@secure-mcp/token-cache/testing` checks the rest.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import type { TokenKey } from "@secure-mcp/oauth-core"
 * import { TokenStore } from "@secure-mcp/token-cache"
 *
 * // Removes the token of a key for every process that shares the store.
 * export const forget = (key: TokenKey) => Effect.flatMap(TokenStore, (store) => store.remove(key))
 * ```
 */
export class TokenStore extends Context.Service<
  TokenStore,
  {
    /** What the store has for a key. A token is given until its time to live is over. */
    readonly get: (key: TokenKey) => Effect.Effect<StoreEntry, StoreUnavailable>
    /**
     * Replaces the token of a key, whether or not a lease was given. The write is durable when this ends. Gives
     * the revision of the write.
     *
     * @param timeToLive how long from now; infinite for a token that can still be refreshed after its expiry
     */
    readonly set: (
      key: TokenKey,
      token: OAuthToken,
      timeToLive: Duration.Duration
    ) => Effect.Effect<number, StoreUnavailable>
    /**
     * Removes the token of a key and gives it back, in one step: of two callers only one gets it. What was removed
     * stays removed: the store tells so for `removalRecordLife`, also if it had no token, and refuses every lease given
     * before. A later `set` stores a token again.
     */
    readonly remove: (key: TokenKey) => Effect.Effect<OAuthToken | undefined, StoreUnavailable>
    /** All tokens of the store, in no particular order. */
    readonly list: Effect.Effect<ReadonlyArray<TokenCacheEntry>, StoreUnavailable>
    /**
     * Whether `set` would work now, found out by trying. Asked before a refresh token is used: it may be good for one
     * use only, and the one that replaces it has to be stored.
     */
    readonly checkWritable: Effect.Effect<void, StoreUnavailable>
    /**
     * Gives the lease of a key, across all processes that share the store; undefined while another one lasts. Fails
     * when the store cannot be asked: then it is unknown whether another process has it.
     *
     * @param timeToLive how long it lasts unless it is renewed
     */
    readonly lease: (
      key: TokenKey,
      timeToLive: Duration.Duration
    ) => Effect.Effect<TokenLease | undefined, StoreUnavailable>
    /**
     * What was written or removed in the whole store since an earlier reading, so that the cache need not ask about each token
     * that is in use. A store may do without: then the cache asks about each. Whatever `get` tells after one answer that it did
     * not tell before the last has to be in this one; only a token whose time to live is over may be missing.
     *
     * @param cursor that of the earlier reading; undefined for the first, which tells where to begin
     */
    readonly changes?:
      | ((cursor: string | undefined) => Effect.Effect<StoreChanges, StoreUnavailable>)
      | undefined
  }
>()("@secure-mcp/token-cache/TokenStore") {
  /**
   * Stores nothing: tokens are in the memory of the cache only, and end with the process. Nothing is shared with other
   * processes, so a lease is given to everyone who asks.
   */
  static readonly none: Layer.Layer<TokenStore> = Layer.sync(TokenStore, () => storesNothing)

  /** Whether a store is `none`. */
  static readonly isNone = (store: TokenStore["Service"]): boolean => store === storesNothing
}

const storesNothing: TokenStore["Service"] = {
  get: () => Effect.succeed(notStorable),
  set: () => Effect.succeed(0),
  remove: () => Effect.undefined,
  list: Effect.succeed([]),
  checkWritable: Effect.void,
  lease: () =>
    Effect.succeed({
      found: notStorable,
      revision: 0,
      renew: Effect.succeed(true),
      set: () => Effect.succeed(true),
      remove: () => Effect.void,
      release: Effect.void
    })
}
