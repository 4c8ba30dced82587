import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import {
  errorCodeOf,
  errorCodes,
  idKey,
  isRequest,
  isResponse,
  metaOf,
  objectAt,
  parseJsonRpc,
  type JsonObject,
  type JsonRpcMessage
} from "../../jsonrpc/JsonRpc.ts"
import { declaredVersion, mirroredHeaders } from "../../jsonrpc/MirroredHeaders.ts"
import { makeToolHeaders } from "./ToolHeaders.ts"
import {
  describeFailure,
  readMessages,
  readText,
  UpstreamFailed,
  type Fetch,
  type FetchResponse,
  type StreamPosition
} from "./UpstreamResponse.ts"

/** The client's end of MCP's Streamable HTTP transport, for messages of any revision. */
export interface StreamableHttpClient {
  /**
   * Sends a message and completes when everything that answers it has been delivered. Interrupting it closes the
   * connection, which cancels a request of the stateless revision.
   */
  readonly post: (message: JsonRpcMessage) => Effect.Effect<void, UpstreamFailed>
  /** Delivers what the server sends of its own accord in a session, for as long as it offers a stream for that. */
  readonly listen: Effect.Effect<void>
  /** Ends the session, if there is one. */
  readonly endSession: Effect.Effect<void>
}

type Deliver = (message: JsonRpcMessage) => Effect.Effect<void>

const initialRetryMillis = 1000
const maxResumptions = 5
const maxToolPages = 50

/** Waits for a stream to come back: 1 s doubling to 30 s, ten times. */
const reconnection = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")]).pipe(
  Schedule.upTo({ times: 10 })
)

/**
 * @param options.deliver gets every message of the server; of one response in order
 */
export const makeStreamableHttpClient = (options: {
  readonly url: URL
  readonly fetch: Fetch
  readonly deliver: Deliver
}): StreamableHttpClient => {
  const { deliver } = options
  const toolHeaders = makeToolHeaders()
  const restarting = Semaphore.makeUnsafe(1)
  let sessionId: string | undefined
  let protocolVersion: string | undefined
  let initialize: JsonRpcMessage | undefined

  const send = Effect.fnUntraced(function* (
    method: string,
    headers: Record<string, string>,
    body?: string
  ): Effect.fn.Return<FetchResponse, UpstreamFailed, Scope.Scope> {
    const controller = yield* Effect.acquireRelease(
      Effect.sync(() => new AbortController()),
      (controller) => Effect.sync(() => controller.abort())
    )
    const { signal } = controller
    const init = body === undefined ? { method, headers, signal } : { method, headers, signal, body }
    const response = yield* Effect.tryPromise({
      try: () => options.fetch(options.url, init),
      catch: describeFailure
    })
    if (response.status >= 200 && response.status < 300) return response
    return yield* new UpstreamFailed({
      problem: `MCP server answered with HTTP status ${response.status}`,
      status: response.status,
      body: yield* readText(response)
    })
  })

  const sessionHeaders = (): Record<string, string> => ({
    ...(sessionId === undefined ? {} : { "mcp-session-id": sessionId }),
    ...(protocolVersion === undefined ? {} : { "mcp-protocol-version": protocolVersion })
  })

  const headersFor = (json: JsonObject): Record<string, string> => {
    if (declaredVersion(json) !== undefined)
      return { ...mirroredHeaders(json), ...toolHeaders.headersFor(json) }
    return json["method"] === "initialize" ? {} : sessionHeaders()
  }

  /** One exchange: the POST and, where the server hangs up early, the GETs that resume its stream. */
  const exchange = (message: JsonRpcMessage, deliver: Deliver): Effect.Effect<void, UpstreamFailed> =>
    Effect.gen(function* () {
      const { json, text } = message
      const isInitialize = json["method"] === "initialize"
      const response = yield* send("POST", { ...contentHeaders, ...headersFor(json) }, text)
      if (isInitialize) {
        initialize = message
        sessionId = response.headers.get("mcp-session-id") ?? undefined
        protocolVersion = undefined
      }
      if (!isRequest(json)) return

      const progress = { isAnswered: false }
      const onMessage = (answer: JsonRpcMessage) => {
        if (isResponse(answer.json) && idKey(answer.json["id"]) === idKey(json.id)) {
          progress.isAnswered = true
          learn(json, objectAt(answer.json, "result"))
        }
        return deliver(answer)
      }
      const position: StreamPosition = { lastEventId: undefined, retryMillis: initialRetryMillis }
      yield* readMessages(response, position, onMessage)
      for (
        let attempt = 0;
        !progress.isAnswered && position.lastEventId !== undefined && attempt < maxResumptions;
        attempt++
      ) {
        yield* Effect.sleep(position.retryMillis)
        yield* resume(position, onMessage)
      }
      if (!progress.isAnswered)
        return yield* new UpstreamFailed({ problem: "MCP server hung up before it had answered" })
    }).pipe(Effect.scoped)

  const learn = (request: JsonObject, result: JsonObject) => {
    if (request["method"] === "tools/list") toolHeaders.learn(result)
    const version = result["protocolVersion"]
    if (request["method"] === "initialize" && typeof version === "string") protocolVersion = version
  }

  const resume = (position: StreamPosition, onMessage: Deliver) =>
    Effect.suspend(() => {
      const headers: Record<string, string> = { accept: "text/event-stream", ...sessionHeaders() }
      if (position.lastEventId !== undefined) headers["last-event-id"] = position.lastEventId
      return Effect.flatMap(send("GET", headers), (response) => readMessages(response, position, onMessage))
    }).pipe(Effect.scoped)

  const post = (message: JsonRpcMessage) =>
    Effect.suspend(() => {
      const lost = sessionId
      return exchange(message, deliver).pipe(
        Effect.catch((failure) => {
          if (failure.status === 404 && lost !== undefined && message.json["method"] !== "initialize")
            return Effect.andThen(restartSession(lost), exchange(message, deliver))
          if (isHeaderMismatch(failure) && message.json["method"] === "tools/call")
            return Effect.andThen(learnTools(message.json), exchange(message, deliver))
          return Effect.fail(failure)
        })
      )
    })

  /**
   * The server has forgotten the session. A client that speaks stdio knows no sessions, so the new one is begun for
   * it (MCP 2025-11-25, "Session Management"): with the words of its own initialization.
   */
  const restartSession = (lost: string) =>
    Effect.suspend(() => {
      if (sessionId !== lost || initialize === undefined) return Effect.void
      return Effect.logWarning("The MCP server has ended the session; starting another one").pipe(
        Effect.andThen(exchange(initialize, () => Effect.void)),
        Effect.andThen(exchange(initialized, () => Effect.void))
      )
    }).pipe(restarting.withPermits(1))

  /** The server reads parameters from headers of which nothing is known yet ("Client Behavior"). */
  const learnTools = Effect.fnUntraced(function* (call: JsonObject) {
    let cursor: unknown
    for (let page = 0; page < maxToolPages; page++) {
      const params = { _meta: metaOf(call), ...(cursor === undefined ? {} : { cursor }) }
      const json = { jsonrpc: "2.0", id: `tools-of-the-relay-${page}`, method: "tools/list", params }
      cursor = undefined
      yield* exchange({ json, text: JSON.stringify(json) }, (answer) =>
        Effect.sync(() => {
          cursor = objectAt(answer.json, "result")["nextCursor"]
        })
      )
      if (cursor === undefined) return
    }
  })

  const listen = Effect.suspend(() => {
    const position: StreamPosition = { lastEventId: undefined, retryMillis: initialRetryMillis }
    return resume(position, deliver).pipe(
      Effect.retry({ schedule: reconnection, while: ({ status }) => status === undefined || status >= 500 }),
      Effect.andThen(Effect.suspend(() => Effect.sleep(position.retryMillis))),
      Effect.forever,
      Effect.catch((failure) =>
        failure.status === 405
          ? Effect.void
          : Effect.logWarning("No more messages from the MCP server of its own accord:", failure.message)
      )
    )
  })

  const endSession = Effect.suspend(() =>
    sessionId === undefined ? Effect.void : Effect.ignore(Effect.scoped(send("DELETE", sessionHeaders())))
  ).pipe(Effect.timeoutOption("5 seconds"), Effect.asVoid)

  return { post, listen, endSession }
}

const contentHeaders = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream"
}

const initializedJson: JsonObject = { jsonrpc: "2.0", method: "notifications/initialized" }
const initialized: JsonRpcMessage = { json: initializedJson, text: JSON.stringify(initializedJson) }

const isHeaderMismatch = ({ body }: UpstreamFailed): boolean =>
  parseJsonRpc(body ?? "")?.messages.some(({ json }) => errorCodeOf(json) === errorCodes.headerMismatch) ===
  true
