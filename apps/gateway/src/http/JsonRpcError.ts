import type { OutgoingHttpHeaders, ServerResponse } from "node:http"
import * as Predicate from "effect/Predicate"
import { parseJson } from "../jsonrpc/JsonRpc.ts"

/**
 * Code of every error the gateway itself answers with. MCP 2026-07-28 leaves -32768 to -32000 to the protocol.
 */
const gatewayErrorCode = -31001

/** A failure of the gateway, as an MCP client sees it. */
export interface GatewayFailure {
  readonly status: number
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
export const writeFailure = (
  response: ServerResponse,
  failure: GatewayFailure,
  requestBody: Uint8Array
): void => {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const { authorizationUrl, correlationId, reason, serverName } = failure
  const message = {
    jsonrpc: "2.0",
    id: requestId(requestBody),
    error: {
      code: gatewayErrorCode,
      message: failure.message,
      data: {
        reason,
        server_name: serverName,
        correlation_id: correlationId,
        ...(authorizationUrl === undefined ? {} : { authorization_url: authorizationUrl })
      }
    }
  }
  writeMessage(response, failure.status, message, failure.headers)
}

/** Answers with one JSON-RPC message. */
export const writeMessage = (
  response: ServerResponse,
  status: number,
  message: object,
  headers: OutgoingHttpHeaders = {}
): void => {
  const body = JSON.stringify(message)
  response.writeHead(status, {
    ...headers,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body)
  })
  response.end(body)
}

/** The `id` of a single JSON-RPC request; null for a batch, a notification and anything unreadable (JSON-RPC 2.0 §5). */
const requestId = (body: Uint8Array): string | number | null => {
  const message = parseJson(body)
  const id = Predicate.hasProperty(message, "id") ? message.id : null
  return typeof id === "string" || typeof id === "number" ? id : null
}
