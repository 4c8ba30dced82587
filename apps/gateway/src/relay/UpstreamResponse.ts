import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { parseJsonRpc, type JsonRpcMessage } from "../jsonrpc/JsonRpc.ts"

/** A request to the MCP server. Its URL, its token and the entry's headers are added by `Fetch`. */
export interface FetchRequest {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: string
}

/** The part of the Web's `Response` that is used. */
export interface FetchResponse {
  readonly status: number
  readonly headers: { readonly get: (name: string) => string | null }
  readonly body: AsyncIterable<Uint8Array> | null
  readonly text: () => Promise<string>
}

/** Sends a request and follows no redirect. The connection is closed with the scope. */
export type Fetch = (request: FetchRequest) => Effect.Effect<FetchResponse, UpstreamFailed, Scope.Scope>

/** A POST or GET that did not lead to an answer. */
export class UpstreamFailed extends Schema.TaggedError<UpstreamFailed>()("UpstreamFailed", {
  /** Shown to the client: holds neither the URL nor a header. */
  problem: Schema.String,
  /** HTTP status; absent if there was no response, or an incomplete one. */
  status: Schema.optionalKey(Schema.Int),
  /** The response's body, which may be a JSON-RPC error. */
  body: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return this.problem
  }
}

/** How far an event stream was read. */
export interface StreamPosition {
  /** Where it can be resumed (`Last-Event-ID`). */
  readonly lastEventId: string | undefined
  /** How long to wait before that. */
  readonly pause: Duration.Duration
}

/** The position of a stream of which nothing was read. */
export const streamStart: StreamPosition = { lastEventId: undefined, pause: Duration.seconds(1) }

const maxEventSize = 64 * 1024 * 1024

/** Reads the messages of a response, be it JSON or an event stream. */
export const readMessages = (
  response: FetchResponse,
  position: Ref.Ref<StreamPosition>,
  onMessage: (message: JsonRpcMessage) => Effect.Effect<void>
): Effect.Effect<void, UpstreamFailed> => {
  const type = response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase()
  const deliver = (text: string) =>
    Effect.forEach(parseJsonRpc(text)?.messages ?? [], onMessage, { discard: true })
  if (type === "application/json") return Effect.flatMap(readText(response), deliver)
  if (type === "text/event-stream") return readEvents(response, position, deliver)
  return Effect.fail(
    new UpstreamFailed({
      problem: `MCP server answered with content type ${type ?? "(none)"}`,
      status: response.status
    })
  )
}

/** Reads the whole body of a response. */
export const readText = (response: FetchResponse): Effect.Effect<string, UpstreamFailed> =>
  Effect.tryPromise({ try: () => response.text(), catch: describeFailure })

const readEvents = (
  response: FetchResponse,
  position: Ref.Ref<StreamPosition>,
  deliver: (text: string) => Effect.Effect<void>
): Effect.Effect<void, UpstreamFailed> => {
  const onEvent = (event: Sse.AnyEvent): Effect.Effect<void> => {
    if (event._tag === "Retry") return Ref.update(position, (read) => ({ ...read, pause: event.duration }))
    const { data, id } = event
    const hasMessage = event.event === "message" && data !== ""
    return Ref.update(position, (read) => ({ ...read, lastEventId: id ?? read.lastEventId })).pipe(
      Effect.andThen(hasMessage ? deliver(data) : Effect.void)
    )
  }
  const events: Array<Sse.AnyEvent> = []
  const parser = Sse.makeParser((event) => events.push(event), { maxEventSize })
  return Stream.fromAsyncIterable(response.body ?? noBytes, describeFailure).pipe(
    Stream.decodeText(),
    Stream.runForEach((text) => {
      const tooLarge = parser.feed(text)
      if (tooLarge !== undefined) return Effect.fail(new UpstreamFailed({ problem: tooLarge.message }))
      return Effect.forEach(events.splice(0), onEvent, { discard: true })
    })
  )
}

const noBytes: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) })
}

/** Describes a failed request: the error's own message and the system's code, never the URL or a header. */
export const describeFailure = (cause: unknown): UpstreamFailed => {
  const message = cause instanceof Error ? cause.message : "the request failed"
  const inner = cause instanceof Error ? cause.cause : undefined
  const code =
    typeof inner === "object" && inner !== null && "code" in inner ? ` (${String(inner.code)})` : ""
  return new UpstreamFailed({ problem: `The request to the MCP server failed: ${message}${code}` })
}
