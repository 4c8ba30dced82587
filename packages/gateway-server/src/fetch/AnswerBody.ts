import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import {
  errorCodes,
  errorMessages,
  isJsonObject,
  isMessage,
  parseJson,
  readJsonRpc,
  type JsonRpcMessage
} from "../jsonrpc/JsonRpc.ts"
import { findIds } from "../jsonrpc/LongMessage.ts"
import {
  describeFailure,
  type Fetch,
  type FetchRequest,
  type FetchResponse,
  UpstreamFailed
} from "./Fetch.ts"

/** The media type of a response, without parameters. */
export const mediaType = (response: FetchResponse): string | undefined =>
  response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase()

/** Sends a request, and fails with the body of an answer whose status is not 2xx. */
export const fetchOk = (
  fetch: Fetch,
  request: FetchRequest
): Effect.Effect<FetchResponse, UpstreamFailed, Scope.Scope> => whenOk(fetch(request))

/** Fails with the body of an answer whose status is not 2xx. */
export const whenOk = Effect.fnUntraced(function* (
  answer: Effect.Effect<FetchResponse, UpstreamFailed, Scope.Scope>
): Effect.fn.Return<FetchResponse, UpstreamFailed, Scope.Scope> {
  const response = yield* answer
  if (response.status >= 200 && response.status < 300) return response
  const body = yield* readText(response, maxErrorBody).pipe(
    Effect.timeoutOption(errorBodyTimeout),
    Effect.map((read) => (read._tag === "Some" ? read.value : "")),
    Effect.orElseSucceed(() => "")
  )
  const said = sayingOf(body)
  const retryAfter = response.headers.get("retry-after")
  return yield* new UpstreamFailed({
    kind: "Refused",
    problem: `MCP server answered with HTTP status ${response.status}${said === undefined ? "" : `: ${said}`}`,
    status: response.status,
    body,
    ...(retryAfter === null ? {} : { retryAfter })
  })
})

/** Bytes that are read of an answer that refuses a request: what can be parsed at once. */
const maxErrorBody = 64 * 1024

/** How long a server may take for the body of such an answer. */
const errorBodyTimeout = Duration.seconds(5)

/** What a body says is wrong, for people: a JSON error of a usual form, or a short plain text; else undefined. */
export const sayingOf = (body: string): string | undefined => {
  const json = parseJson(body)
  const said = isJsonObject(json) ? messageIn(json) : json === undefined ? body.trim() : undefined
  return said === undefined || said === "" || /^\s*</.test(said)
    ? undefined
    : said.replaceAll(/\s+/g, " ").slice(0, 200)
}

const messageIn = (json: Readonly<Record<string, unknown>>): string | undefined => {
  const { detail, error, error_description: description, message } = json
  if (isJsonObject(error)) return messageIn(error)
  return [description, message, error, detail].find((value) => typeof value === "string")
}

/** Reads the whole body of a response, if it is not longer than `maxBytes`. */
export const readText = (
  response: FetchResponse,
  maxBytes: number
): Effect.Effect<string, UpstreamFailed> => {
  const decoder = new TextDecoder()
  const pieces: Array<string> = []
  let length = 0
  return chunksOf(response).pipe(
    Stream.runForEach((chunk) => {
      length += chunk.length
      if (length > maxBytes) return Effect.fail(tooLong(maxBytes))
      pieces.push(decoder.decode(chunk, { stream: true }))
      return Effect.void
    }),
    Effect.map(() => pieces.join("") + decoder.decode())
  )
}

/**
 * Reads the events of a response (text/event-stream).
 *
 * @param maxBytes of the data of one event
 */
export const readEvents = (
  response: FetchResponse,
  maxBytes: number,
  onEvent: (event: Sse.AnyEvent) => Effect.Effect<void>
): Effect.Effect<void, UpstreamFailed> => {
  const events: Array<Sse.AnyEvent> = []
  // Pending events count in UTF-16 units, of which there are no more than bytes.
  const parser = Sse.makeParser((event) => events.push(event), { maxEventSize: maxBytes })
  const readEvent = (event: Sse.AnyEvent) =>
    event._tag === "Event" && isLonger(event.data, maxBytes) ? Effect.fail(tooLong(maxBytes)) : onEvent(event)
  const feed = (text: string) =>
    Effect.suspend(() => {
      const tooLarge = parser.feed(text)
      const complete = Effect.forEach(events.splice(0), readEvent, { discard: true })
      return tooLarge === undefined ? complete : Effect.andThen(complete, Effect.fail(tooLong(maxBytes)))
    })
  let lineLength = 0
  return chunksOf(response).pipe(
    Stream.decodeText(),
    Stream.runForEach((text) => {
      const lineEnd = text.search(/[\r\n]/)
      const isLongLine = lineEnd !== -1 && lineLength >= lengthAtOnce
      lineLength = lineEnd === -1 ? lineLength + text.length : 0
      if (!isLongLine) return feed(text)
      // The parser copies a long line where it ends, and once more where its event ends. Both would come in one turn
      // of the event loop, even with one pause between them, because the turn begins with what the connection received.
      const [line, rest] = [text.slice(0, lineEnd + 1), text.slice(lineEnd + 1)]
      return Effect.yieldNow.pipe(
        Effect.andThen(feed(line)),
        Effect.andThen(Effect.yieldNow),
        Effect.andThen(feed(rest))
      )
    })
  )
}

/**
 * Delivers the messages of a text. What is no message is logged by its length: its content may be secret. What is not read
 * because it goes beyond a bound is delivered as an error to the requests that it answers.
 */
export const deliverMessages = (
  text: string,
  deliver: (message: JsonRpcMessage) => Effect.Effect<void>
): Effect.Effect<void> => {
  const logNoMessage = Effect.logWarning(
    `The MCP server sent ${text.length} characters that are no JSON-RPC message`
  )
  return readJsonRpc(text).pipe(
    Effect.flatMap(({ messages }) =>
      messages.every(({ json }) => isMessage(json))
        ? Effect.forEach(messages, deliver, { discard: true })
        : logNoMessage
    ),
    Effect.catch(({ isBeyondBound, problem }) =>
      isBeyondBound
        ? deliverErrors(text, `A message of the MCP server was dropped. ${problem}`, deliver)
        : logNoMessage
    )
  )
}

const deliverErrors = Effect.fnUntraced(function* (
  text: string,
  problem: string,
  deliver: (message: JsonRpcMessage) => Effect.Effect<void>
) {
  yield* Effect.logError(problem)
  const { answers } = yield* findIds(text)
  const errors = answers.flatMap((id) => errorMessages(id, errorCodes.gatewayFailure, problem))
  yield* Effect.forEach(errors, deliver, { discard: true })
})

/** Whether a text has more bytes. A UTF-16 unit has at most three in UTF-8. */
export const isLonger = (text: string, maxBytes: number): boolean =>
  3 * text.length > maxBytes && Buffer.byteLength(text) > maxBytes

/** Bytes, or characters, of a body that are read before others get their turn: a connection hands over megabytes without a pause. */
const lengthAtOnce = 256 * 1024

const chunksOf = (response: FetchResponse) =>
  Stream.suspend(() => {
    let length = 0
    return Stream.fromAsyncIterable(response.body ?? noBytes, (cause) => describeFailure(cause)).pipe(
      Stream.tap((chunk) => {
        length += chunk.length
        if (length < lengthAtOnce) return Effect.void
        length = 0
        return Effect.yieldNow
      })
    )
  })

const tooLong = (maxBytes: number) =>
  new UpstreamFailed({
    kind: "Unusable",
    problem: `MCP server sent a message of more than ${maxBytes} bytes, the value of \`limits.message_bytes\``
  })

const noBytes: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) })
}
