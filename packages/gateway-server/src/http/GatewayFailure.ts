import * as Effect from "effect/Effect"
import type { OutgoingHttpHeaders, ServerResponse } from "node:http"
import { sendJson } from "../jsonrpc/HttpAnswer.ts"
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
