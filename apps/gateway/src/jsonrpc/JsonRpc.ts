import * as Predicate from "effect/Predicate"

/** What identifies a request between two peers (JSON-RPC 2.0 §4; MCP leaves out null). */
export type RequestId = string | number

/** A JSON object, of which only what routing needs is ever looked at. */
export type JsonObject = Readonly<Record<string, unknown>>

/** A message that asks for an answer. */
export type JsonRpcRequest = JsonObject & { readonly id: RequestId; readonly method: string }

/** Codes of JSON-RPC 2.0 §5.1, of MCP and of the gateway. */
export const errorCodes = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  headerMismatch: -32020,
  missingClientCapability: -32021,
  unsupportedProtocolVersion: -32022,
  /** `URLElicitationRequiredError` of MCP 2025-11-25. */
  urlElicitationRequired: -32042,
  /** The gateway's own: it gives this error itself. MCP 2026-07-28 leaves -32768 to -32000 to the protocol. */
  gatewayFailure: -31001,
  /** The gateway's own: the child of a stdio server could not be started, or ended before it answered. */
  serverUnavailable: -31002
} as const

/** `_meta` keys of MCP 2026-07-28 (basic, "_meta"). */
export const metaKeys = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  subscriptionId: "io.modelcontextprotocol/subscriptionId",
  logLevel: "io.modelcontextprotocol/logLevel"
} as const

/** A message, and its text on one line. */
export interface JsonRpcMessage {
  readonly json: JsonObject
  readonly text: string
}

/**
 * One message or a batch of them (MCP 2025-03-26), or undefined if the text is not that. A single message keeps its
 * text, so that numbers that JavaScript cannot represent are passed on unchanged.
 */
export const parseJsonRpc = (
  text: string
): { readonly messages: ReadonlyArray<JsonRpcMessage>; readonly isBatch: boolean } | undefined => {
  const value = parseJson(text)
  // A line end in JSON can only be insignificant whitespace: inside strings it is escaped.
  if (isJsonObject(value))
    return { messages: [{ json: value, text: text.replaceAll(/[\r\n]/g, " ") }], isBatch: false }
  if (!Array.isArray(value) || value.length === 0 || !value.every(isJsonObject)) return undefined
  return { messages: value.map((json) => ({ json, text: JSON.stringify(json) })), isBatch: true }
}

/** The value of a text, or of its UTF-8 bytes; undefined if it is not JSON. */
export const parseJson = (source: string | Uint8Array): unknown => {
  try {
    return JSON.parse(typeof source === "string" ? source : new TextDecoder().decode(source))
  } catch {
    return undefined
  }
}

/** Whether a value is an object and no array. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  Predicate.isObject(value) && !Array.isArray(value)

/** Whether a value can identify a request. */
export const isRequestId = (value: unknown): value is RequestId =>
  typeof value === "string" || typeof value === "number"

/** Whether a message asks for an answer. */
export const isRequest = (message: JsonObject): message is JsonRpcRequest =>
  typeof message["method"] === "string" && isRequestId(message["id"])

/** Whether a message asks for no answer. */
export const isNotification = (message: JsonObject): boolean =>
  typeof message["method"] === "string" && !("id" in message)

/** Whether a message is an answer. */
export const isResponse = (message: JsonObject): boolean =>
  message["method"] === undefined && ("result" in message || "error" in message)

/** Whether a message is one of the three things a peer may send. */
export const isMessage = (message: JsonObject): boolean =>
  isRequest(message) || isNotification(message) || isResponse(message)

/** The `params` of a message; an empty object if there are none. */
export const paramsOf = (message: JsonObject): JsonObject => objectAt(message, "params")

/** The `params._meta` of a message; an empty object if there is none. */
export const metaOf = (message: JsonObject): JsonObject => objectAt(paramsOf(message), "_meta")

/** The object under a key; an empty one if there is none. */
export const objectAt = (value: JsonObject, key: string): JsonObject => {
  const inner = value[key]
  return isJsonObject(inner) ? inner : {}
}

/** The code of an error response; undefined for any other message. */
export const errorCodeOf = (message: JsonObject): number | undefined => {
  const code = objectAt(message, "error")["code"]
  return typeof code === "number" ? code : undefined
}

/** An id as a map key: 1 and "1" are different ids. */
export const idKey = (id: unknown): string => JSON.stringify(id)

/** A request, with its text. */
export const makeRequest = (id: RequestId, method: string, params?: JsonObject): JsonRpcMessage =>
  withText({ jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) })

/** A notification, with its text. */
export const makeNotification = (method: string, params?: JsonObject): JsonRpcMessage =>
  withText({ jsonrpc: "2.0", method, ...(params === undefined ? {} : { params }) })

const withText = (json: JsonObject): JsonRpcMessage => ({ json, text: JSON.stringify(json) })

/** A response with a result, as text. */
export const resultResponse = (id: RequestId, result: JsonObject): string =>
  JSON.stringify({ jsonrpc: "2.0", id, result })

/** An error response, as text. */
export const errorResponse = (
  id: RequestId | null,
  code: number,
  message: string,
  data?: JsonObject
): string =>
  JSON.stringify({
    jsonrpc: "2.0",
    id,
    error: data === undefined ? { code, message } : { code, message, data }
  })
