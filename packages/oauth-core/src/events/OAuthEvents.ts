import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { OAuthErrorReason } from "../errors/OAuthErrorReason.ts"

/**
 * An event of one server's tokens, client certificate or tools. Carries no token and no client.
 *
 * `subject` is the person whom the token is for, as in its key: an audit has to know whose grant it was. Absent for the
 * client's own token, and for a failed login that belongs to no request. Do not label metrics with it: there would be a series
 * for each person.
 */
export type OAuthEvent = { readonly serverName: string } & (
  | { readonly _tag: "CacheHit" }
  /** No token could be served at once; also for a caller that joins an acquisition under way. */
  | { readonly _tag: "CacheMiss" }
  /** `refresh`: it replaced a cached token. `duration` spans all attempts. */
  | {
      readonly _tag: "TokenAcquired"
      readonly subject?: string
      readonly duration: Duration.Duration
      readonly refresh: boolean
    }
  | {
      readonly _tag: "AcquisitionFailed"
      readonly subject?: string
      readonly duration: Duration.Duration
      readonly refresh: boolean
      readonly reason: OAuthErrorReason["_tag"]
    }
  | { readonly _tag: "TokenInvalidated"; readonly subject?: string }
  | { readonly _tag: "TokenExpired" }
  | { readonly _tag: "TokenRevoked"; readonly subject?: string }
  /** A client called a tool that the configuration does not allow. */
  | { readonly _tag: "ToolCallRefused" }
  /** Its connections present this client certificate from now on. `expiresAt`: milliseconds since the epoch. */
  | { readonly _tag: "CertificateInUse"; readonly expiresAt: number }
)

/** Port: receives each event. The default does nothing, so it need not be provided. */
export const OAuthEvents = Context.Reference<{
  readonly publish: (event: OAuthEvent) => Effect.Effect<void>
  /**
   * Receives the cache hits of `TokenCache.peek`, which no effect is run for: they happen on every request. Without it
   * `publish` receives them, as it does all others.
   *
   * @param hits how many; 1 by default
   */
  readonly countHit?: ((serverName: string, hits?: number) => void) | undefined
}>("@secure-mcp/oauth-core/OAuthEvents", {
  defaultValue: () => ({ publish: () => Effect.void, countHit: () => undefined })
})
