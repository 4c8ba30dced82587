import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CorrelationId } from "./CorrelationId.ts"
import { OAuthErrorReason } from "./OAuthErrorReason.ts"

/** What an `OAuthError` says. */
export interface OAuthErrorOptions {
  /** What was being done, as in "get an access token". */
  readonly operation: string
  /** The MCP server concerned; `*` for none in particular. */
  readonly serverName: string
  /** Why it failed. */
  readonly reason: OAuthErrorReason
  /** Of the acquisition that failed; default: that of the request being served, or a new one. */
  readonly correlationId?: string | undefined
}

/**
 * The one error of this family of packages. Its `reason` says why; catch a single one with
 * `Effect.catchReason("OAuthError", "CircuitOpen", …)`. Neither the message nor any field contains a secret.
 */
export class OAuthError extends Schema.TaggedError<OAuthError>()("OAuthError", {
  /** What was being done, as in "get an access token". */
  operation: Schema.String,
  serverName: Schema.String,
  /** Part of every log line and request of the failed acquisition. */
  correlationId: Schema.String,
  reason: OAuthErrorReason
}) {
  /**
   * Fails with an error that has a correlation id: that of the acquisition, or of the request being
   * served, or a new one where there is neither.
   */
  static fail({ correlationId, ...rest }: OAuthErrorOptions): Effect.Effect<never, OAuthError> {
    return Effect.flatMap(CorrelationId, (current) =>
      Effect.fail(
        new OAuthError({ ...rest, correlationId: correlationId ?? current ?? SecureRandom.uuidV4Unsafe() })
      )
    )
  }

  /** Whether the same call may succeed later without anyone changing anything. */
  get retryable(): boolean {
    return this.reason.retryable
  }

  override get message(): string {
    return `Could not ${this.operation} for server "${this.serverName}": ${this.reason.message} [correlation id ${this.correlationId}]`
  }
}
