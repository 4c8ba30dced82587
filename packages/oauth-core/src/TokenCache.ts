import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { OAuthError } from "./OAuthError.ts"
import type { OAuthToken } from "./OAuthToken.ts"
import type { TokenKey } from "./TokenKey.ts"

/** Asks for the token of one key. */
export interface TokenCacheRequest {
  readonly key: TokenKey
  /** How long before expiry the token is renewed in the background; at most half of its lifetime counts. */
  readonly expiryBuffer: Duration.Duration
  /** Obtains a new token. Gets the one it replaces, which may have expired. */
  readonly acquire: (previous: OAuthToken | undefined) => Effect.Effect<OAuthToken, OAuthError>
  /** Replace the token even if it is fresh. Joins a replacement that is already under way. */
  readonly forceRefresh?: boolean | undefined
  /** An access token the MCP server refused: it is not served again, any other one is. */
  readonly refused?: Redacted.Redacted | undefined
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
    /** Forgets the token of a key and gives it back, if there was one. */
    readonly invalidate: (key: TokenKey) => Effect.Effect<OAuthToken | undefined, OAuthError>
    /** The tokens that may be served now. */
    readonly list: Effect.Effect<ReadonlyArray<TokenCacheEntry>, OAuthError>
  }
>()("@secure-mcp/oauth-core/TokenCache") {}
