import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { OAuthError } from "./errors/OAuthError.ts"
import type { OAuthToken } from "./OAuthToken.ts"
import type { TokenKey } from "./TokenKey.ts"

/** Asks for the token of one key. */
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
  /** Replace the token even if it is fresh. Joins a replacement that is already under way. */
  readonly forceRefresh?: boolean | undefined
  /** An access token the MCP server refused: it is not served again, any other one is. */
  readonly refused?: Redacted.Redacted | undefined
  /** An access token that is good, but not for this caller, who wants any other one. It is served to others. */
  readonly insufficient?: Redacted.Redacted | undefined
}

/** A token and where it came from. */
export interface CachedToken {
  readonly token: OAuthToken
  readonly source: "cache" | "acquired"
}

/** A token that is kept. */
export interface TokenCacheEntry {
  readonly key: TokenKey
  readonly token: OAuthToken
}

/** Port: keeps tokens and keeps them fresh, with one acquisition at a time for each key. */
export class TokenCache extends Context.Service<
  TokenCache,
  {
    readonly get: (request: TokenCacheRequest) => Effect.Effect<CachedToken, OAuthError>
    /**
     * Keeps a token that was obtained elsewhere, in place of the one before it and of one that is on its way. Fails
     * when it will not outlive this process as it should.
     */
    readonly put: (key: TokenKey, token: OAuthToken) => Effect.Effect<void, OAuthError>
    /**
     * Removes the token of a key, in memory and in the store, and gives it back if there was one. Of a token that is
     * being obtained only those hear who wait for it.
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
