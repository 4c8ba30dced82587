import {
  type ConfigError,
  type Misconfigured,
  OAuthError,
  type StoreUnavailable
} from "@secure-mcp/oauth-core"
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import { OAuthClientError } from "./OAuthClientError.ts"

/** What an effect of the client may fail with. */
export type ClientFailure = OAuthError | Misconfigured | StoreUnavailable | OAuthClientError

/** The error that a caller gets for an effect that failed. */
export const clientErrorOf = (cause: Cause.Cause<ClientFailure>): OAuthClientError => {
  const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (failure === undefined)
    return new OAuthClientError("This is a mistake of @secure-mcp/oauth-client. Please report it", {
      reason: "InternalError",
      cause: Cause.squash(cause)
    })
  if (failure instanceof OAuthClientError) return failure
  if (failure instanceof OAuthError)
    return new OAuthClientError(failure.message, {
      reason: failure.reason._tag,
      retryable: failure.retryable,
      correlationId: failure.correlationId,
      cause: failure
    })
  return new OAuthClientError(failure.message, {
    reason: failure._tag,
    retryable: failure.retryable,
    cause: failure
  })
}

/** The error for options that cannot be used: every problem, each with its key. */
export const optionsError = (cause: ConfigError): OAuthClientError =>
  new OAuthClientError(`The options of createOAuthClient cannot be used. ${cause.message}`, {
    reason: "Misconfigured",
    cause
  })
