import type { OAuthErrorReason } from "@secure-mcp/oauth-core"

/**
 * Why a call failed: the name of a reason of `OAuthErrorReason`, or
 *
 * - `Aborted`: the `signal` that was given aborted the call.
 * - `Closed`: the client is closed.
 * - `InternalError`: a mistake of ours. Please report it.
 */
export type OAuthClientErrorReason = OAuthErrorReason["_tag"] | "Aborted" | "Closed" | "InternalError"

/** What an `OAuthClientError` says. */
export interface OAuthClientErrorOptions {
  readonly reason: OAuthClientErrorReason
  readonly retryable?: boolean
  readonly correlationId?: string | undefined
  readonly cause?: unknown
}

/**
 * The one error of the client. Neither the message nor any field contains a secret.
 *
 * @example
 * ```ts
 * import { createOAuthClient, OAuthClientError } from "@secure-mcp/oauth-client"
 *
 * const client = createOAuthClient({ serverUrl: "https://mcp.example.com/mcp", grant_type: "authorization_code" })
 *
 * export const isLoggedIn = async (): Promise<boolean> => {
 *   try {
 *     await client.getAccessToken()
 *     return true
 *   } catch (error) {
 *     if (error instanceof OAuthClientError && error.reason === "AuthorizationRequired") return false
 *     throw error
 *   }
 * }
 * ```
 */
export class OAuthClientError extends Error {
  /** `OAuthClientError`; for `Aborted` the name of the signal's reason (`AbortError`, `TimeoutError`), as in the Web's APIs. */
  override readonly name: string
  /** Why the call failed. */
  readonly reason: OAuthClientErrorReason
  /** Whether the same call may succeed later without anyone changing anything. */
  readonly retryable: boolean
  /** Part of each log entry and request of the call that failed; undefined if it began none. */
  readonly correlationId: string | undefined

  constructor(message: string, { cause, correlationId, reason, retryable = false }: OAuthClientErrorOptions) {
    super(message, cause === undefined ? {} : { cause })
    this.name = reason === "Aborted" && cause instanceof Error ? cause.name : "OAuthClientError"
    this.reason = reason
    this.retryable = retryable
    this.correlationId = correlationId
  }
}
