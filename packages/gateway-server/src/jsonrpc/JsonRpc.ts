import * as Brand from "effect/Brand"
import * as Predicate from "effect/Predicate"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import {
  type MemberRanges,
  pathKey,
  readOutline,
  shortLength,
  sliceLength,
  Unreadable
} from "./JsonOutline.ts"
import { elementsOf, rangesAt, removeAt, removeMembers, replaceAll } from "./JsonText.ts"

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
  clientInfo: "io.modelcontextprotocol/clientInfo",
  subscriptionId: "io.modelcontextprotocol/subscriptionId",
  logLevel: "io.modelcontextprotocol/logLevel"
} as const

/** A message, and its text on one line. */
export interface JsonRpcMessage {
  readonly json: JsonObject
  readonly text: string
  /** Where the members of a long message stand of which `json` consists. */
  readonly members?: MemberRanges
}

/** One message or a batch of them (MCP 2025-03-26). */
export interface JsonRpcText {
  readonly messages: ReadonlyArray<JsonRpcMessage>
  readonly isBatch: boolean
}

/** A text is no JSON-RPC message, or the gateway does not read it. */
export class UnreadableMessage extends Data.TaggedError("UnreadableMessage")<{
  /** -32700 or -32600. */
  readonly code: number
  /** What is wrong, and what to do about it. */
  readonly problem: string
  /** Whether the text goes beyond a bound, and may be a message. */
  readonly isBeyondBound: boolean
}> {}

/**
 * Reads one message or a batch of them. Each keeps its text, so that numbers that JavaScript cannot represent are passed on
 * unchanged. A text of more than 64 KiB is read in slices, between which others are served; its `json` has only the members
 * that routing looks at.
 */
export const readJsonRpc = (source: string): Effect.Effect<JsonRpcText, UnreadableMessage> =>
  Effect.flatMap(
    source.length <= shortLength ? Effect.sync(() => readShort(source)) : inSlices(() => readLong(source)),
    (read) => (read instanceof UnreadableMessage ? Effect.fail(read) : Effect.succeed(read))
  )

const readShort = (source: string): JsonRpcText | UnreadableMessage => {
  const value = parseJson(source)
  return value === undefined ? notJson : (asMessages(value, source) ?? noMessage)
}

/** The only message in a text or in its UTF-8 bytes; undefined for a batch and for what is no message. */
export const readOnlyMessage = (source: string | Uint8Array): Effect.Effect<JsonRpcMessage | undefined> =>
  readJsonRpc(textOf(source)).pipe(
    Effect.map(({ isBatch, messages }) => (isBatch ? undefined : messages[0])),
    Effect.orElseSucceed(() => undefined)
  )

/** Runs what pauses after each slice, and lets others do their work in the pauses. */
export const inSlices = <A>(read: () => Generator<void, A>): Effect.Effect<A> =>
  Effect.gen(function* () {
    const steps = read()
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      yield* Effect.yieldNow
    }
  })

function* readLong(source: string): Generator<void, JsonRpcText | UnreadableMessage> {
  try {
    // Whoever received the text and whoever passes it on copy it: each copy of megabytes takes several milliseconds.
    yield
    const text = yield* onOneLine(source)
    yield
    const { isArray, outlines } = yield* readOutline(text)
    yield
    const messages = outlines.flatMap(({ end, members, start, value }) =>
      isJsonObject(value) ? [{ json: value, text: text.slice(start, end), members }] : []
    )
    return messages.length === 0 || messages.length < outlines.length
      ? noMessage
      : { messages, isBatch: isArray }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    const { isBeyondBound, message } = error
    return isBeyondBound
      ? new UnreadableMessage({ code: errorCodes.invalidRequest, problem: message, isBeyondBound })
      : notJson
  }
}

/** A line end in JSON can only be insignificant whitespace: inside strings it is escaped. */
function* onOneLine(source: string): Generator<void, string> {
  const text = source.trim()
  if (!text.includes("\n") && !text.includes("\r")) return text
  // Millions of them would take a second as matches of a pattern.
  const bytes = Buffer.from(text)
  for (let index = 0; index < bytes.length; index += 1) {
    if (bytes[index] === 0x0a || bytes[index] === 0x0d) bytes[index] = 0x20
    if (index % sliceLength === 0) yield
  }
  return bytes.toString()
}

const withoutLineEnds = (text: string): string =>
  text.includes("\n") || text.includes("\r") ? text.replaceAll(/[\r\n]/g, " ") : text

const noMessage = new UnreadableMessage({
  code: errorCodes.invalidRequest,
  problem: "This is no JSON-RPC 2.0 message",
  isBeyondBound: false
})

const notJson = new UnreadableMessage({
  code: errorCodes.parseError,
  problem: "This is not JSON",
  isBeyondBound: false
})

/** The messages of a text of up to 64 KiB; undefined for a longer one, and if it is none. */
export const parseJsonRpc = (text: string): JsonRpcText | undefined => asMessages(parseJson(text), text)

/** The only message in a text of up to 64 KiB; undefined for others, for a batch, and for what is no message. */
export const parseOnlyMessage = (text: string): JsonRpcMessage | undefined => {
  const parsed = parseJsonRpc(text)
  const message = parsed?.isBatch === false ? parsed.messages[0] : undefined
  return message !== undefined && isMessage(message.json) ? message : undefined
}

const asMessages = (value: unknown, text: string): JsonRpcText | undefined => {
  const line = withoutLineEnds(text.trim())
  if (isJsonObject(value)) return { messages: [{ json: value, text: line }], isBatch: false }
  if (!Array.isArray(value) || value.length === 0 || !value.every(isJsonObject)) return undefined
  const texts = elementsOf(line)
  return { messages: value.map((json, index) => ({ json, text: texts[index] ?? "" })), isBatch: true }
}

/** The value of a text, or of its UTF-8 bytes, of up to 64 KiB; undefined for a longer one, and if it is not JSON. */
export const parseJson = (source: string | Uint8Array): unknown => {
  if (source.length > shortLength) return undefined
  try {
    return JSON.parse(textOf(source))
  } catch {
    return undefined
  }
}

/** A byte order mark is no part of the text. What is not UTF-8 becomes U+FFFD. */
export const textOf = (source: string | Uint8Array): string => {
  if (typeof source === "string") return source
  const text = Buffer.from(source.buffer, source.byteOffset, source.length).toString()
  return text.startsWith("\uFEFF") ? text.slice(1) : text
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
  message: JsonRpcMessage,
  path: ReadonlyArray<string> = ["id"]
): IdText | undefined => {
  let id: unknown = message.json
  for (const key of path) id = isJsonObject(id) ? id[key] : undefined
  if (typeof id === "string") return idText(id)
  const range = typeof id === "number" ? rangesIn(message, path).at(-1) : undefined
  return range === undefined ? undefined : asIdText(message.text.slice(range.start, range.end))
}

/** The id of a request; undefined for any other message. */
export const requestIdOf = (message: JsonRpcMessage): IdText | undefined =>
  isRequest(message.json) ? idTextAt(message) : undefined

const rangesIn = ({ members, text }: JsonRpcMessage, path: ReadonlyArray<string>) =>
  members === undefined ? rangesAt(text, path) : (members.get(pathKey(path)) ?? [])

/** The text of a message with other values at paths, under each of repeated keys. No path leads through another. */
export const withValuesAt = (
  message: JsonRpcMessage,
  ...values: ReadonlyArray<readonly [path: ReadonlyArray<string>, source: string]>
): string =>
  replaceAll(
    message.text,
    values.flatMap(([path, source]) =>
      rangesIn(message, path).map(({ end, start }) => ({ start, end, source }))
    )
  )

/** The text of a message without the members at a path. */
export const withoutMembersAt = ({ members, text }: JsonRpcMessage, path: ReadonlyArray<string>): string =>
  members === undefined ? removeAt(text, path) : removeMembers(text, members.get(pathKey(path)) ?? [])

/** The text of a message with an id at a path; as it was sent if that is the id there. */
export const withIdAt = (message: JsonRpcMessage, id: IdText, path: ReadonlyArray<string> = ["id"]): string =>
  idTextAt(message, path) === id ? message.text : withValuesAt(message, [path, id])

/** The text of an id of our own. */
export const idText = (id: RequestId): IdText => asIdText(JSON.stringify(id))

const asIdText = Brand.nominal<IdText>()

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
  return { json, text: withValuesAt({ json, text }, [["params", "requestId"], id]) }
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

/** An error response in the place of an answer that the server did not give, or that is not read: one message. */
export const errorMessages = (id: IdText, code: number, message: string): ReadonlyArray<JsonRpcMessage> =>
  parseJsonRpc(errorResponse(id, code, message))?.messages ?? []
