import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import type {
  Misconfigured,
  OAuthToken,
  StoreUnavailable,
  TokenCacheEntry,
  TokenKey
} from "@secure-mcp/oauth-core"
import { makeFileTokenStore, type FileTokenStoreOptions } from "./FileTokenStore.ts"
import { makeMemoryTokenStore } from "./MemoryTokenStore.ts"
import { makePersonGrantTokenStore } from "./PersonGrantTokenStore.ts"
import type { TokenLease } from "./TokenLease.ts"

/**
 * Port: where tokens are kept. A store knows keys, tokens and how long to keep them; whether a token may be served
 * is not its business.
 *
 * The cache reads it only when it has no token in memory that may be served, or is about to replace one. Every
 * operation must end in bounded time, because callers wait for it and it is not interrupted. A store whose data
 * leave the process must encrypt them. `tokenStoreContract` of `@secure-mcp/token-cache/testing` says the rest.
 */
export class TokenStore extends Context.Service<
  TokenStore,
  {
    /** The token kept for a key, until its time to live is over. */
    readonly get: (key: TokenKey) => Effect.Effect<OAuthToken | undefined, StoreUnavailable>
    /**
     * Keeps a token in place of the one before it, whoever holds the lease. The write is whole when this ends.
     *
     * @param timeToLive how long from now; infinite for a token that can still be refreshed after its expiry
     */
    readonly set: (
      key: TokenKey,
      token: OAuthToken,
      timeToLive: Duration.Duration
    ) => Effect.Effect<void, StoreUnavailable>
    /** Forgets the token of a key and gives it back, in one step: of two callers only one gets it. */
    readonly remove: (key: TokenKey) => Effect.Effect<OAuthToken | undefined, StoreUnavailable>
    /** Everything that is kept, in no particular order. */
    readonly list: Effect.Effect<ReadonlyArray<TokenCacheEntry>, StoreUnavailable>
    /**
     * Whether `set` would work now, found out by trying. Asked before a refresh token is used: it may be good for
     * one use only, and what comes in its place has to be kept.
     */
    readonly checkWritable: Effect.Effect<void, StoreUnavailable>
    /**
     * Takes the lease of a key, across all processes that share the store; undefined while somebody else has it. That
     * the store cannot be asked is the error: nobody knows then who has it.
     *
     * @param timeToLive how long it lasts unless it is renewed
     */
    readonly lease: (
      key: TokenKey,
      timeToLive: Duration.Duration
    ) => Effect.Effect<TokenLease | undefined, StoreUnavailable>
  }
>()("@secure-mcp/token-cache/TokenStore") {
  /** Keeps tokens in this process only, `TokenCapacity` of them at most. Nothing is written to disk. */
  static readonly layerMemory: Layer.Layer<TokenStore> = Layer.effect(TokenStore, makeMemoryTokenStore)

  /**
   * Keeps tokens in encrypted files, which outlive the process and which several processes on one machine share.
   * Without a configured key it makes one, next to the tokens.
   */
  static readonly layerFileSystem = (
    options: FileTokenStoreOptions = {}
  ): Layer.Layer<TokenStore, Misconfigured | StoreUnavailable, FileSystem.FileSystem | Path.Path> =>
    Layer.effect(TokenStore, makeFileTokenStore(options))

  /**
   * Keeps what a person granted (it has a refresh token, or says whom it was granted to) in the given store, and
   * all other tokens in memory: the client can ask for those again by itself.
   */
  static readonly layerPersonGrants = <E, R>(
    durable: Layer.Layer<TokenStore, E, R>
  ): Layer.Layer<TokenStore, E, R> =>
    Layer.effect(
      TokenStore,
      Effect.flatMap(TokenStore, (store) =>
        Effect.map(makeMemoryTokenStore, (memory) => makePersonGrantTokenStore(store, memory))
      )
    ).pipe(Layer.provide(durable))
}
