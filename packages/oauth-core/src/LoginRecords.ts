import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { StoreUnavailable } from "./errors/OAuthErrorReason.ts"

/** Keeps records of logins. */
export interface LoginRecordsService {
  /** @param id no secret: a digest of one */
  readonly put: (
    id: string,
    record: Redacted.Redacted,
    timeToLive: Duration.Duration
  ) => Effect.Effect<void, StoreUnavailable>
  readonly get: (id: string) => Effect.Effect<Redacted.Redacted | undefined, StoreUnavailable>
  /** Removes a record and gives it back: of two who take it one gets it. */
  readonly take: (id: string) => Effect.Effect<Redacted.Redacted | undefined, StoreUnavailable>
}

/**
 * Port: what is remembered of a login while a person is at it, so that one that was begun in one process ends in another. Need not be
 * provided: a login then ends in the process that began it. `StoredLoginRecords` of `@secure-mcp/token-cache` keeps the records
 * with the tokens.
 */
export const LoginRecords = Context.Reference<LoginRecordsService | undefined>(
  "@secure-mcp/oauth-core/LoginRecords",
  { defaultValue: () => undefined }
)
