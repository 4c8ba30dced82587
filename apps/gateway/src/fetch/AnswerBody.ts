import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { isJsonObject, parseJson } from "../jsonrpc/JsonRpc.ts"
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
export const fetchOk = Effect.fnUntraced(function* (
  fetch: Fetch,
  request: FetchRequest
): Effect.fn.Return<FetchResponse, UpstreamFailed, Scope.Scope> {
  const response = yield* fetch(request)
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

/** Characters of an answer that refuses a request. */
const maxErrorBody = 1024 * 1024

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

/** Reads the whole body of a response, if it is not longer than `maxLength` (UTF-16 units). */
export const readText = (
  response: FetchResponse,
  maxLength: number
): Effect.Effect<string, UpstreamFailed> => {
  const pieces: Array<string> = []
  let length = 0
  return bodyText(response).pipe(
    Stream.runForEach((piece) => {
      length += piece.length
      if (length > maxLength) return Effect.fail(tooLong(maxLength))
      pieces.push(piece)
      return Effect.void
    }),
    Effect.map(() => pieces.join(""))
  )
}

/**
 * Reads the events of a response (text/event-stream).
 *
 * @param maxLength of one event, in UTF-16 units
 */
export const readEvents = (
  response: FetchResponse,
  maxLength: number,
  onEvent: (event: Sse.AnyEvent) => Effect.Effect<void>
): Effect.Effect<void, UpstreamFailed> => {
  const events: Array<Sse.AnyEvent> = []
  const parser = Sse.makeParser((event) => events.push(event), { maxEventSize: maxLength })
  return bodyText(response).pipe(
    Stream.runForEach((text) => {
      const tooLarge = parser.feed(text)
      const complete = Effect.forEach(events.splice(0), onEvent, { discard: true })
      return tooLarge === undefined ? complete : Effect.andThen(complete, Effect.fail(tooLong(maxLength)))
    })
  )
}

const bodyText = (response: FetchResponse) =>
  Stream.fromAsyncIterable(response.body ?? noBytes, (cause) => describeFailure(cause)).pipe(
    Stream.decodeText()
  )

const tooLong = (maxLength: number) =>
  new UpstreamFailed({
    kind: "Unusable",
    problem: `MCP server sent a message that is longer than ${maxLength}, the value of \`limits.message_bytes\``
  })

const noBytes: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) })
}
