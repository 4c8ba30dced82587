import { randomBytes } from "node:crypto"
import type { StoreUnavailable } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

/** Keeps whose a session is, by digests only: neither session ids nor names of people leave the process. */
export interface SessionOwnersService {
  /** The key of the digests: all who share the sessions have the same one. */
  readonly digestKey: Redacted.Redacted<Uint8Array>
  /**
   * Stores the owner of a session for `sessionLife` from now. One that another owner has stays theirs.
   *
   * @returns whether the session is the owner's
   */
  readonly bind: (session: string, owner: string) => Effect.Effect<boolean, StoreUnavailable>
  /** The owner of a session; undefined if it has none. */
  readonly find: (session: string) => Effect.Effect<string | undefined, StoreUnavailable>
  /** Forgets a session that has ended. */
  readonly remove: (session: string) => Effect.Effect<void, StoreUnavailable>
}

/**
 * Port: where several gateways keep whose a session is. By default nothing is stored: a session is known to the process
 * that it began in, and ends with it.
 */
export const SessionOwners = Context.Reference<SessionOwnersService>("@secure-mcp/gateway/SessionOwners", {
  defaultValue: () => ({
    digestKey: Redacted.make(randomBytes(32)),
    bind: () => Effect.succeed(true),
    find: () => Effect.undefined,
    remove: () => Effect.void
  })
})

/** How long a session without a request is remembered. */
export const sessionLife: Duration.Duration = Duration.hours(24)
