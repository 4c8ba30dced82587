import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { OAuthError } from "./errors/OAuthError.ts"
import type { OAuthToken } from "./OAuthToken.ts"
import type { TokenKey } from "./TokenKey.ts"

/** A request for the token of one key. */
export interface TokenCacheRequest {
  readonly key: TokenKey
  /** How long before expiry the token is renewed in the background; at most half of its lifetime counts. */
  readonly expiryBuffer: Duration.Duration
  /**
   * Obtains a new token. Gets the one it replaces, which may have expired. If that one has a refresh token, which is
   * used up when it is sent, nothing interrupts this: it must end in bounded time.
   *
   * @param keep stores a token that has a new refresh token and must not be served (`reusable: false`), at once and
   *   in place of the previous one; called before the acquisition fails, or before it does something that can fail.
   *   If the acquisition fails, every caller gets the same error for a second, which doubles with each such failure up
   *   to 30 seconds; the next attempt gets the new refresh token
   */
  readonly acquire: (
    previous: OAuthToken | undefined,
    keep: (token: OAuthToken) => Effect.Effect<void>
  ) => Effect.Effect<OAuthToken, OAuthError>
  /** Replace the token even if it is too early to renew it. Joins an acquisition that is already under way. */
  readonly forceRefresh?: boolean | undefined
  /** An access token the MCP server refused: it is not served again, any other one is. */
  readonly refused?: Redacted.Redacted | undefined
  /** A valid access token that is not sufficient for this caller (scope). Any other one is; others are served it. */
  readonly insufficient?: Redacted.Redacted | undefined
}

/** A look at the token of one key that is in memory. */
export type TokenPeek = Pick<TokenCacheRequest, "key" | "expiryBuffer">

/** A token and where it came from. */
export interface CachedToken {
  readonly token: OAuthToken
  readonly source: "cache" | "acquired"
}

/** A cached or stored token, and its key. */
export interface TokenCacheEntry {
  readonly key: TokenKey
  readonly token: OAuthToken
}

/** Port: caches tokens and renews them ahead of expiry, with one acquisition at a time for each key. */
export class TokenCache extends Context.Service<
  TokenCache,
  {
    /** A token that may be served: from memory or the store, or newly acquired. Fails with the error of `acquire`. */
    readonly get: (request: TokenCacheRequest) => Effect.Effect<CachedToken, OAuthError>
    /**
     * The token that `get` would serve from memory at once, with nothing else to do. Undefined if there is none, and also
     * if `get` would begin something in the background: a renewal ahead of expiry, or a look into the store. So a caller
     * that is given nothing asks `get`, and nothing is missed.
     *
     * Counts as a hit and as a use. Synchronous, and fast for a key that is the same object each time: for what happens
     * on every request.
     */
    readonly peek: (request: TokenPeek) => OAuthToken | undefined
    /**
     * The token that is kept for a key, in memory or in the store, whether or not its access token may still be served: one
     * with a refresh token counts after its expiry, too. Obtains and renews nothing, and counts neither as a hit nor as a
     * use. Undefined if there is none, and while it is being removed. Fails if the store has to be asked and cannot be.
     */
    readonly find: (key: TokenKey) => Effect.Effect<OAuthToken | undefined, OAuthError>
    /**
     * Caches and stores a token that was obtained elsewhere. It replaces the one before it, and one that is being
     * acquired. Fails if the store does not take it; it is served from memory all the same, and stored later.
     */
    readonly put: (key: TokenKey, token: OAuthToken) => Effect.Effect<void, OAuthError>
    /**
     * Removes the token of a key, in memory and in the store, and gives it back if there was one. A token that
     * is being acquired meanwhile is served to the callers that wait for it, and to no other.
     */
    readonly invalidate: (key: TokenKey) => Effect.Effect<OAuthToken | undefined, OAuthError>
    /**
     * Removes the token of a key once no renewal is under way, here or in another process, and hands it to
     * `revokeToken`: the newest of memory and store. Can be interrupted only before the token is removed; from then on
     * `revokeToken` runs to its end. Gives undefined if there was no token.
     */
    readonly revoke: <A, E>(
      key: TokenKey,
      revokeToken: (token: OAuthToken) => Effect.Effect<A, E>
    ) => Effect.Effect<A | undefined, E | OAuthError>
    /** The tokens that may be served now. */
    readonly list: Effect.Effect<ReadonlyArray<TokenCacheEntry>, OAuthError>
  }
>()("@secure-mcp/oauth-core/TokenCache") {}
