import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import {
  errorCodeOf,
  errorCodes,
  idTextAt,
  matchingId,
  isRequest,
  isResponse,
  makeNotification,
  makeRequest,
  metaOf,
  objectAt,
  parseJsonRpc,
  type JsonObject,
  type JsonRpcMessage,
  type JsonRpcRequest
} from "../jsonrpc/JsonRpc.ts"
import { replaceAt } from "../jsonrpc/JsonText.ts"
import { declaredVersion, mirroredHeaders } from "../jsonrpc/MirroredHeaders.ts"
import { makeToolHeaders } from "./ToolHeaders.ts"
import {
  readMessages,
  readText,
  streamStart,
  UpstreamFailed,
  type Fetch,
  type FetchRequest,
  type FetchResponse,
  type StreamPosition
} from "./UpstreamResponse.ts"

/** The relay's end of MCP's Streamable HTTP transport, for messages of any revision. */
export interface UpstreamSession {
  /**
   * Sends a message and completes when everything that answers it has been delivered. Interrupting it closes the
   * connection, which cancels a request of the stateless revision.
   */
  readonly post: (message: JsonRpcMessage) => Effect.Effect<void, UpstreamFailed>
  /** Delivers what the server sends without being asked, for as long as it offers a stream for that. */
  readonly listen: Effect.Effect<void>
  /** Ends the session, if there is one. */
  readonly end: Effect.Effect<void>
}

type Deliver = (message: JsonRpcMessage) => Effect.Effect<void>

/** What `initialize` agreed on. All absent before it, and for the stateless revision. */
interface Agreement {
  readonly sessionId?: string | undefined
  readonly protocolVersion?: string | undefined
  /** The client's own message, to be sent again if the server forgets the session. */
  readonly initialize?: JsonRpcMessage | undefined
}

const maxResumptions = 5
const maxToolPages = 50

/** Waits for a stream to come back: 1 s doubling to 30 s, ten times. */
const reconnection = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")]).pipe(
  Schedule.upTo({ times: 10 })
)

/**
 * Makes a session with the server that `fetch` reaches.
 *
 * @param options.deliver gets every message of the server; those of one response in order
 */
export const makeUpstreamSession = Effect.fnUntraced(function* (options: {
  readonly fetch: Fetch
  readonly deliver: Deliver
}): Effect.fn.Return<UpstreamSession> {
  const { deliver } = options
  const toolHeaders = makeToolHeaders()
  const restarting = yield* Semaphore.make(1)
  const agreement = yield* Ref.make<Agreement>({})

  const send = Effect.fnUntraced(function* (
    outgoing: FetchRequest
  ): Effect.fn.Return<FetchResponse, UpstreamFailed, Scope.Scope> {
    const response = yield* options.fetch(outgoing)
    if (response.status >= 200 && response.status < 300) return response
    return yield* new UpstreamFailed({
      problem: `MCP server answered with HTTP status ${response.status}`,
      status: response.status,
      body: yield* readText(response)
    })
  })

  const headersFor = (json: JsonObject): Effect.Effect<Record<string, string>> => {
    if (declaredVersion(json) !== undefined)
      return Effect.succeed({ ...mirroredHeaders(json), ...toolHeaders.headersFor(json) })
    return json["method"] === "initialize"
      ? Effect.succeed({})
      : Effect.map(Ref.get(agreement), sessionHeaders)
  }

  const begin = (initialize: JsonRpcMessage, response: FetchResponse) =>
    Ref.set(agreement, { initialize, sessionId: response.headers.get("mcp-session-id") ?? undefined })

  const learn = (outgoing: JsonRpcRequest, result: JsonObject): Effect.Effect<void> => {
    if (outgoing.method === "tools/list") return Effect.sync(() => toolHeaders.learn(result))
    const { protocolVersion } = result
    return outgoing.method === "initialize" && typeof protocolVersion === "string"
      ? Ref.update(agreement, (agreed) => ({ ...agreed, protocolVersion }))
      : Effect.void
  }

  /** One exchange: the POST and, if the server closes the stream early, the GETs that resume it. */
  const exchange = Effect.fnUntraced(function* (
    outgoing: JsonRpcMessage,
    deliver: Deliver
  ): Effect.fn.Return<void, UpstreamFailed, Scope.Scope> {
    const { json, text } = outgoing
    const headers = { ...contentHeaders, ...(yield* headersFor(json)) }
    const response = yield* send({ method: "POST", headers, body: text })
    if (json["method"] === "initialize") yield* begin(outgoing, response)
    const id = idTextAt(outgoing)
    if (!isRequest(json) || id === undefined) return

    const answered = yield* Deferred.make<void>()
    const position = yield* Ref.make(streamStart)
    const onMessage = Effect.fnUntraced(function* (message: JsonRpcMessage) {
      const answeredId = isResponse(message.json) ? idTextAt(message) : undefined
      if (answeredId === undefined || matchingId([id], answeredId) === undefined)
        return yield* deliver(message)
      yield* Deferred.succeed(answered, undefined)
      yield* learn(json, objectAt(message.json, "result"))
      yield* deliver(answeredId === id ? message : { ...message, text: replaceAt(message.text, ["id"], id) })
    })
    const isResumable = Effect.gen(function* () {
      const { lastEventId } = yield* Ref.get(position)
      return lastEventId !== undefined && !(yield* Deferred.isDone(answered))
    })

    yield* readMessages(response, position, onMessage)
    if (yield* isResumable)
      yield* Effect.repeat(Effect.andThen(pauseOf(position), resume(position, onMessage)), {
        while: () => isResumable,
        times: maxResumptions - 1
      })
    if (!(yield* Deferred.isDone(answered)))
      return yield* new UpstreamFailed({ problem: "MCP server hung up before it had answered" })
  }, Effect.scoped)

  const resume = Effect.fnUntraced(function* (position: Ref.Ref<StreamPosition>, onMessage: Deliver) {
    const { lastEventId } = yield* Ref.get(position)
    const headers = {
      accept: "text/event-stream",
      ...sessionHeaders(yield* Ref.get(agreement)),
      ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId })
    }
    yield* readMessages(yield* send({ method: "GET", headers }), position, onMessage)
  }, Effect.scoped)

  const post = Effect.fnUntraced(function* (message: JsonRpcMessage) {
    const { method } = message.json
    const { sessionId } = yield* Ref.get(agreement)
    yield* exchange(message, deliver).pipe(
      Effect.catch((failure) => {
        if (failure.status === 404 && sessionId !== undefined && method !== "initialize")
          return Effect.andThen(restartSession(sessionId), exchange(message, deliver))
        if (isHeaderMismatch(failure) && method === "tools/call")
          return Effect.andThen(learnTools(message.json), exchange(message, deliver))
        return Effect.fail(failure)
      })
    )
  })

  /**
   * The server has forgotten the session. A client that speaks stdio knows no sessions, so the relay begins another with
   * the client's own `initialize` (MCP 2025-11-25, "Session Management").
   */
  const restartSession = Effect.fnUntraced(function* (lost: string) {
    const { initialize, sessionId } = yield* Ref.get(agreement)
    // Another request of the same session may have begun the new one.
    if (sessionId !== lost || initialize === undefined) return
    yield* Effect.logWarning("The MCP server has ended the session; starting another one")
    yield* exchange(initialize, ignore)
    yield* exchange(makeNotification("notifications/initialized"), ignore)
  }, restarting.withPermits(1))

  /** The server reads parameters from headers whose names only its list of tools says ("Client Behavior"). */
  const learnTools = (call: JsonObject, cursor?: unknown, page = 0): Effect.Effect<void, UpstreamFailed> =>
    Effect.gen(function* () {
      const next = yield* Ref.make<unknown>(undefined)
      const params = { _meta: metaOf(call), ...(cursor === undefined ? {} : { cursor }) }
      yield* exchange(makeRequest(`tools-of-the-relay-${page}`, "tools/list", params), ({ json }) =>
        Ref.set(next, objectAt(json, "result")["nextCursor"])
      )
      const nextCursor = yield* Ref.get(next)
      if (nextCursor !== undefined && page + 1 < maxToolPages) yield* learnTools(call, nextCursor, page + 1)
    })

  const listen = Effect.gen(function* () {
    const position = yield* Ref.make(streamStart)
    yield* resume(position, deliver).pipe(
      Effect.retry({ schedule: reconnection, while: ({ status }) => status === undefined || status >= 500 }),
      Effect.andThen(pauseOf(position)),
      Effect.forever,
      Effect.catch((failure) =>
        failure.status === 405
          ? Effect.void
          : Effect.logWarning("The MCP server's stream of its own messages has ended:", failure.message)
      )
    )
  })

  const end = Ref.get(agreement).pipe(
    Effect.flatMap((agreed) =>
      agreed.sessionId === undefined
        ? Effect.void
        : Effect.ignore(Effect.scoped(send({ method: "DELETE", headers: sessionHeaders(agreed) })))
    ),
    Effect.timeoutOption("5 seconds"),
    Effect.asVoid
  )

  return { post, listen, end }
})

const contentHeaders = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream"
}

const sessionHeaders = ({ protocolVersion, sessionId }: Agreement): Record<string, string> => ({
  ...(sessionId === undefined ? {} : { "mcp-session-id": sessionId }),
  ...(protocolVersion === undefined ? {} : { "mcp-protocol-version": protocolVersion })
})

const pauseOf = (position: Ref.Ref<StreamPosition>) =>
  Effect.flatMap(Ref.get(position), ({ pause }) => Effect.sleep(pause))

const ignore: Deliver = () => Effect.void

const isHeaderMismatch = ({ body }: UpstreamFailed): boolean =>
  parseJsonRpc(body ?? "")?.messages.some(({ json }) => errorCodeOf(json) === errorCodes.headerMismatch) ===
  true
