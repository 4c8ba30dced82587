import * as Brand from "effect/Brand"
import * as Predicate from "effect/Predicate"
import { outlineOf, shortLength } from "./JsonOutline.ts"
import { elementsOf, replaceAt, sourceAt } from "./JsonText.ts"

/** What identifies a request between two peers (JSON-RPC 2.0 §4; MCP leaves out null). */
export type RequestId = string | number

/**
 * An id as JSON. A number is written letter for letter as its sender wrote it: JavaScript would make one id of
 * 9007199254740992 and 9007199254740993. Equal strings have equal texts.
 */
export type IdText = string & Brand.Brand<"IdText">

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
 * One message or a batch of them (MCP 2025-03-26), or undefined if the text is not that. Each message keeps its text, so
 * that numbers that JavaScript cannot represent are passed on unchanged.
 */
export const parseJsonRpc = (
  text: string
): { readonly messages: ReadonlyArray<JsonRpcMessage>; readonly isBatch: boolean } | undefined => {
  const value = parseJson(text)
  if (isJsonObject(value)) return { messages: [{ json: value, text: onOneLine(text) }], isBatch: false }
  if (!Array.isArray(value) || value.length === 0 || !value.every(isJsonObject)) return undefined
  const texts = elementsOf(onOneLine(text))
  return { messages: value.map((json, index) => ({ json, text: texts[index] ?? "" })), isBatch: true }
}

/** The message in a text or in its UTF-8 bytes; undefined for a batch and for what is no message. */
export const onlyMessageIn = (source: string | Uint8Array): JsonRpcMessage | undefined => {
  const parsed = parseJsonRpc(typeof source === "string" ? source : new TextDecoder().decode(source))
  return parsed?.isBatch === false ? parsed.messages[0] : undefined
}

/** A line end in JSON can only be insignificant whitespace: inside strings it is escaped. */
const onOneLine = (text: string): string => {
  if (text.length <= shortLength) return text.trim().replaceAll(/[\r\n]/g, " ")
  const trimmed = text.trim()
  if (!trimmed.includes("\n") && !trimmed.includes("\r")) return trimmed
  // Millions of line ends would take a second as matches of a pattern.
  const bytes = Buffer.from(trimmed)
  for (let index = 0; index < bytes.length; index += 1)
    if (bytes[index] === 0x0a || bytes[index] === 0x0d) bytes[index] = 0x20
  return bytes.toString()
}

/**
 * The value of a text, or of its UTF-8 bytes; undefined if it is not JSON. Of a text of more than 64 KiB with many values
 * it has only the members that routing looks at (`outlineOf`).
 */
export const parseJson = (source: string | Uint8Array): unknown => {
  const text = typeof source === "string" ? source : new TextDecoder().decode(source)
  if (text.length > shortLength) return outlineOf(text)
  try {
    return JSON.parse(text)
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

/** Whether a message is one of the three things a peer may send (JSON-RPC 2.0 §4 and §5). */
export const isMessage = (message: JsonObject): boolean =>
  message["jsonrpc"] === "2.0" &&
  ("method" in message
    ? (isRequest(message) || isNotification(message)) && !("result" in message || "error" in message)
    : isAnswer(message))

/** An error need not say which request it belongs to: the peer may have been unable to read it. */
const isAnswer = (message: JsonObject): boolean =>
  "error" in message
    ? !("result" in message) && errorCodeOf(message) !== undefined
    : "result" in message && isRequestId(message["id"])

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

/** The text of the id at a path of a message, of its own by default; undefined if there is none. */
export const idTextAt = (
  { json, text }: JsonRpcMessage,
  path: ReadonlyArray<string> = ["id"]
): IdText | undefined => {
  let id: unknown = json
  for (const key of path) id = isJsonObject(id) ? id[key] : undefined
  if (typeof id === "string") return idText(id)
  const source = typeof id === "number" ? sourceAt(text, path) : undefined
  return source === undefined ? undefined : asIdText(source)
}

/** The id of a request; undefined for any other message. */
export const requestIdOf = (message: JsonRpcMessage): IdText | undefined =>
  isRequest(message.json) ? idTextAt(message) : undefined

/** The text of a message with an id at a path; as it was sent if that is the id there. */
export const withIdAt = (message: JsonRpcMessage, id: IdText, path: ReadonlyArray<string> = ["id"]): string =>
  idTextAt(message, path) === id ? message.text : replaceAt(message.text, path, id)

/** The text of an id of our own. */
export const idText = (id: RequestId): IdText => asIdText(JSON.stringify(id))

const asIdText = Brand.nominal<IdText>()

/**
 * The one of some ids that a peer means by an id. A peer that reads numbers into a `double` answers 1 to 1.0, and
 * 9007199254740992 to 9007199254740993: such an id counts if no other could be meant.
 */
export const matchingId = (ids: Iterable<IdText>, id: IdText): IdText | undefined => {
  const all = [...ids]
  if (all.includes(id)) return id
  if (id.startsWith('"')) return undefined
  const alike = all.filter((other) => Number(other) === Number(id))
  return alike.length === 1 ? alike[0] : undefined
}

/** What stands under the id that a peer means by an id (`matchingId`), and that id as it is known here. */
export const entryById = <A>(
  byId: ReadonlyMap<IdText, A>,
  id: IdText | undefined
): readonly [IdText, A] | undefined => {
  if (id === undefined) return undefined
  const known = byId.has(id) ? id : matchingId(byId.keys(), id)
  const value = known === undefined ? undefined : byId.get(known)
  return known === undefined || value === undefined ? undefined : [known, value]
}

/** A request, with its text. */
export const makeRequest = (id: RequestId, method: string, params?: JsonObject): JsonRpcMessage =>
  withText({ jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) })

/** A notification, with its text. */
export const makeNotification = (method: string, params?: JsonObject): JsonRpcMessage =>
  withText({ jsonrpc: "2.0", method, ...(params === undefined ? {} : { params }) })

/** Tells the peer that an answer is not waited for any more (MCP, "Cancellation"). */
export const makeCancellation = (id: IdText, reason: string): JsonRpcMessage => {
  const requestId: unknown = JSON.parse(id)
  const { json, text } = makeNotification("notifications/cancelled", { requestId, reason })
  return { json, text: replaceAt(text, ["params", "requestId"], id) }
}

const withText = (json: JsonObject): JsonRpcMessage => ({ json, text: JSON.stringify(json) })

/** A response with a result, as text. */
export const resultResponse = (id: IdText, result: JsonObject): string =>
  `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`

/**
 * An error response, as text.
 *
 * @param id of the request; undefined if it is not known
 */
export const errorResponse = (
  id: IdText | undefined,
  code: number,
  message: string,
  data?: JsonObject
): string => {
  const error = JSON.stringify(data === undefined ? { code, message } : { code, message, data })
  return `{"jsonrpc":"2.0","id":${id ?? "null"},"error":${error}}`
}
