import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { OAuthToken, StoreUnavailable } from "@secure-mcp/oauth-core"

/**
 * The right to replace the token of one key, which one process has at a time. It is lent: who has it must renew it,
 * because it ends by itself when its holder dies.
 *
 * A process that was stopped for a while may go on with a lease that somebody else has by now. So leases are
 * numbered in the order they were given, and the store refuses what is written late: with a lease that is older than
 * the last write or removal.
 */
export interface TokenLease {
  /** The token of the key as it was when the lease was given, read in the same step. */
  readonly found: OAuthToken | undefined
  /** Makes the lease last for its whole time from now; false once somebody else has it. */
  readonly renew: Effect.Effect<boolean, StoreUnavailable>
  /**
   * `TokenStore.set`, unless somebody has written or removed the token since the lease was given: with a later lease,
   * or without any. Says whether it did.
   */
  readonly set: (token: OAuthToken, timeToLive: Duration.Duration) => Effect.Effect<boolean, StoreUnavailable>
  /** Forgets the token of the key if it is still this one. A newer one stays. */
  readonly remove: (token: OAuthToken) => Effect.Effect<void, StoreUnavailable>
  /** Lets others have it at once. */
  readonly release: Effect.Effect<void, StoreUnavailable>
}
