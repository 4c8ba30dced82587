import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { OAuthToken, StoreUnavailable } from "@secure-mcp/oauth-core"
import type { StoreEntry } from "./StoreEntry.ts"

/**
 * The right to replace the token of one key. One process has it at a time. It ends by itself unless it is renewed, so
 * that a process that dies does not keep it.
 *
 * A process that was stopped for a while may go on with a lease that has ended. Therefore leases are numbered in the
 * order they were given, and the store refuses a write with a lease that is older than the last write or removal.
 */
export interface TokenLease {
  /** What the store said about the key when the lease was given, read in the same step. */
  readonly found: StoreEntry
  /** The number of this lease, and of everything that is written with it. */
  readonly revision: number
  /** Makes the lease last its whole time from now; false once another lease was given. */
  readonly renew: Effect.Effect<boolean, StoreUnavailable>
  /**
   * Stores a token, unless one was stored or removed since the lease was given: with a later lease, or without any.
   * Says whether it did.
   */
  readonly set: (token: OAuthToken, timeToLive: Duration.Duration) => Effect.Effect<boolean, StoreUnavailable>
  /** Removes the token of the key if it is still this one, refresh token included. A newer one stays. */
  readonly remove: (token: OAuthToken) => Effect.Effect<void, StoreUnavailable>
  /** Ends the lease at once. */
  readonly release: Effect.Effect<void, StoreUnavailable>
}
