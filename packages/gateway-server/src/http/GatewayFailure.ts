import type { OutgoingHttpHeaders, ServerResponse } from "node:http"
import { CorrelationId, type AccessTokenRequest, type OAuthError } from "@secure-mcp/oauth-core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { sendJson } from "../jsonrpc/HttpAnswer.ts"
import type { TooManyLogins } from "../login/LoginLinks.ts"
import { describeOAuthError } from "../upstream/OAuthAdvice.ts"
import type { UpstreamFailure } from "../upstream/Upstream.ts"
import { errorCodes, errorResponse, idTextAt, readOnlyMessage } from "../jsonrpc/JsonRpc.ts"

/** An error of the gateway itself, as an MCP client sees it. */
export interface GatewayFailure {
  /** The HTTP status. */
  readonly status: number
  /** `data.reason`: the name of the error, for programs. */
  readonly reason: string
  readonly message: string
  readonly serverName: string
  readonly correlationId: string
  /** What the status calls for: `Allow` with 405 (RFC 9110 §15.5.6), `Retry-After` when there is a time. */
  readonly headers?: OutgoingHttpHeaders | undefined
  /** Where a person can log in, if that is what is missing. */
  readonly authorizationUrl?: string | undefined
}

/** Answers with a JSON-RPC error that names the request it belongs to. */
export const writeFailure = Effect.fnUntraced(function* (
  response: ServerResponse,
  failure: GatewayFailure,
  requestBody: Uint8Array
) {
  // The `id` of a single message; none for a batch, a notification and an unreadable body (JSON-RPC 2.0 §5).
  const message = response.headersSent ? undefined : yield* readOnlyMessage(requestBody)
  const id = message === undefined ? undefined : idTextAt(message)
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const { authorizationUrl, correlationId, headers, reason, serverName, status } = failure
  const data = {
    reason,
    server_name: serverName,
    correlation_id: correlationId,
    ...(authorizationUrl === undefined ? {} : { authorization_url: authorizationUrl })
  }
  const text = errorResponse(id, errorCodes.gatewayFailure, failure.message, data)
  sendJson(response, status, text, headers)
})

/** A failure whose correlation id is that of the request, unless it has its own. */
type RequestFailure = Omit<GatewayFailure, "correlationId"> & Partial<Pick<GatewayFailure, "correlationId">>

/** Logs a failure and answers with it. */
export const answerFailure = Effect.fnUntraced(function* (
  response: ServerResponse,
  requestBody: Uint8Array,
  failure: RequestFailure
) {
  const correlationId = failure.correlationId ?? (yield* CorrelationId) ?? ""
  yield* Effect.logWarning(failure.message).pipe(
    Effect.annotateLogs({ server_name: failure.serverName, correlation_id: correlationId })
  )
  yield* writeFailure(response, { ...failure, correlationId }, requestBody)
})

/** Logs a bug and answers that there is one. Only the log has the details. */
export const answerBug = (
  response: ServerResponse,
  requestBody: Uint8Array,
  serverName: string,
  defect: unknown
) =>
  Effect.andThen(
    Effect.logError("A request failed by a bug", Cause.die(defect)),
    answerFailure(response, requestBody, {
      status: 500,
      reason: "InternalError",
      message: "The gateway failed by a bug. Its log says more",
      serverName
    })
  )

/**
 * Never 401, because the client would try to authenticate at the gateway, which is not what failed; unless the token of the caller lacks
 * claims that only a new login brings.
 *
 * @param metadataUrl where the client learns at which authorization server
 */
export const failedAuthorization = (
  error: OAuthError,
  request: AccessTokenRequest | undefined,
  metadataUrl?: string
): GatewayFailure => {
  const challenge = claimsChallenge(error, request, metadataUrl)
  const failure = failedAcquisition(error, request)
  return challenge === undefined
    ? failure
    : { ...failure, status: 401, headers: { "www-authenticate": challenge } }
}

const claimsChallenge = (
  { reason }: OAuthError,
  request: AccessTokenRequest | undefined,
  metadataUrl: string | undefined
): string | undefined => {
  if (reason._tag !== "RequestRefused" || reason.claims === undefined) return undefined
  if (request?.callerToken === undefined || metadataUrl === undefined) return undefined
  const claims = Buffer.from(reason.claims).toString("base64")
  return `Bearer realm="secure-mcp-gateway", resource_metadata="${metadataUrl}", error="insufficient_claims", claims="${claims}"`
}

const failedAcquisition = (error: OAuthError, request: AccessTokenRequest | undefined): GatewayFailure => ({
  status: error.reason._tag === "CircuitOpen" ? 503 : 502,
  reason: error.reason._tag,
  message: describeOAuthError(error, request),
  serverName: error.serverName,
  correlationId: error.correlationId,
  headers: retryAfter(error.reason)
})

/** There is no answer of the server. */
export const unanswered = (failure: UpstreamFailure | TooManyLogins) => ({
  status: failure.status,
  reason: failure.reason,
  message: failure.message,
  serverName: failure.serverName,
  headers: retryAfter(failure)
})

const retryAfter = (reason: OAuthError["reason"] | UpstreamFailure | TooManyLogins) =>
  "retryAfterSeconds" in reason && reason.retryAfterSeconds !== undefined
    ? { "retry-after": String(Math.ceil(reason.retryAfterSeconds)) }
    : undefined
