import { mentionsSession } from "@secure-mcp/transport-injection"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Sse from "effect/encoding/Sse"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { deliverMessages, fetchOk, mediaType, readEvents, readText } from "../fetch/AnswerBody.ts"
import { describeFate, type Fetch, type FetchResponse, UpstreamFailed } from "../fetch/Fetch.ts"
import {
  errorCodes,
  errorMessages,
  type JsonRpcMessage,
  readOnlyMessage,
  requestIdOf
} from "../jsonrpc/JsonRpc.ts"
import type { MessageConnection } from "../jsonrpc/MessageConnection.ts"

/** How long the server may take to say where messages go. */
const startTimeout = Duration.seconds(30)

/** The same for a server of which it is not known whether it speaks HTTP+SSE. */
const fallbackTimeout = Duration.seconds(5)

/** How long the acceptance of one message may hold up the next. Some servers accept a request when they have answered it. */
const patience = Duration.seconds(2)

/** Messages that the server has not accepted yet. */
const maxUnaccepted = 64

/** The body of an acceptance is of no use; it is read for the connection's sake. */
const maxAcceptance = 64 * 1024

/**
 * Opens a connection over HTTP+SSE, the transport of MCP 2024-11-05: a GET opens a stream, whose event `endpoint` says
 * where messages are POSTed; all answers come on the stream. The connection ends with the stream.
 *
 * The endpoint must have the origin of the stream: the token and the entry's headers go there.
 *
 * @param onMessage gets one message after the other, in order
 */
export const connectSse = Effect.fnUntraced(function* (
  { fetch, messageBytes }: { readonly fetch: Fetch; readonly messageBytes: number },
  onMessage: (message: JsonRpcMessage) => Effect.Effect<void>
): Effect.fn.Return<MessageConnection, UpstreamFailed, Scope.Scope> {
  const scope = yield* Effect.scope
  const endpoint = yield* Deferred.make<URL, UpstreamFailed>()
  const ended = yield* Deferred.make<string>()

  const open = Effect.gen(function* () {
    const response = yield* fetchOk(fetch, { method: "GET", headers: { accept: "text/event-stream" } })
    const type = mediaType(response)
    if (type === "text/event-stream") return response
    return yield* new UpstreamFailed({
      kind: "Unusable",
      problem: `MCP server opened no event stream: it answered with content type ${type ?? "(none)"}. ${otherTransport}`
    })
  })

  const onEvent = (response: FetchResponse) => (event: Sse.AnyEvent) => {
    if (event._tag !== "Event") return Effect.void
    if (event.event === "endpoint") return Deferred.complete(endpoint, endpointOf(event.data, response))
    return event.event === "message" ? deliverMessages(event.data, onMessage) : Effect.void
  }

  const response = yield* open.pipe(Effect.timeoutOrElse({ duration: startTimeout, orElse: () => noStart }))
  const reading = yield* readEvents(response, messageBytes, onEvent(response)).pipe(
    Effect.match({
      onFailure: ({ kind, problem }) =>
        kind === "Broken" ? "broke off its event stream" : `broke off its event stream: ${problem}`,
      onSuccess: () => "closed its event stream"
    }),
    Effect.tap((how) =>
      Deferred.fail(endpoint, new UpstreamFailed({ kind: "Unusable", problem: `MCP server ${how}` }))
    ),
    Effect.onExit((exit) => Deferred.succeed(ended, exit._tag === "Success" ? exit.value : "was left")),
    Effect.forkScoped
  )
  const url = yield* Deferred.await(endpoint).pipe(
    Effect.timeoutOrElse({ duration: startTimeout, orElse: () => noStart })
  )

  const turn = yield* Semaphore.make(1)
  const unaccepted = yield* Semaphore.make(maxUnaccepted)

  const post = (text: string) =>
    fetchOk(fetch, { method: "POST", headers: { "content-type": "application/json" }, body: text, url }).pipe(
      Effect.flatMap((acceptance) => Effect.ignore(readText(acceptance, maxAcceptance))),
      Effect.scoped,
      Effect.catch((failure) => Effect.andThen(refuse(text, failure), endIfForgotten(failure)))
    )

  /** A request that did not reach the server has no answer but this one. */
  const refuse = Effect.fnUntraced(function* (text: string, failure: UpstreamFailed) {
    const message = yield* readOnlyMessage(text)
    const id = message === undefined ? undefined : requestIdOf(message)
    if (id === undefined)
      return yield* Effect.logWarning("A message did not reach the MCP server:", failure.message)
    const errors = errorMessages(id, errorCodes.internalError, failure.problem + describeFate(failure))
    return yield* Effect.forEach(errors, onMessage, { discard: true })
  })

  const endIfForgotten = (failure: UpstreamFailed) =>
    isForgotten(failure)
      ? Effect.andThen(Deferred.succeed(ended, "has forgotten the session"), Fiber.interrupt(reading))
      : Effect.void

  const send = (text: string): Effect.Effect<void> =>
    Effect.gen(function* () {
      if (Deferred.isDoneUnsafe(ended)) return
      yield* Semaphore.take(unaccepted, 1)
      const posting = yield* Effect.forkIn(
        Effect.ensuring(post(text), Semaphore.release(unaccepted, 1)),
        scope
      )
      yield* Effect.timeoutOption(Fiber.await(posting), patience)
    }).pipe(Semaphore.withPermit(turn), Effect.raceFirst(Effect.asVoid(Deferred.await(ended))))

  return {
    send,
    ended: Deferred.await(ended),
    logUnexpected: (text) =>
      Effect.logWarning(`The MCP server sent a message of ${text.length} characters that nobody asked for`),
    stop: Fiber.interrupt(reading),
    expiresAt: undefined
  }
})

/** Whether a server that does not speak Streamable HTTP speaks HTTP+SSE: it opens a stream and names an endpoint. */
export const opensSse = (server: Parameters<typeof connectSse>[0]): Effect.Effect<boolean> =>
  Effect.scoped(connectSse(server, () => Effect.void)).pipe(
    Effect.as(true),
    Effect.timeoutOrElse({ duration: fallbackTimeout, orElse: () => Effect.succeed(false) }),
    Effect.orElseSucceed(() => false)
  )

/** Whether a server refuses a message because it does not know the session that the endpoint names. */
const isForgotten = ({ body = "", status }: UpstreamFailed): boolean =>
  status === 404 || status === 410 || (status === 400 && mentionsSession(body))

const endpointOf = (data: string, response: FetchResponse): Effect.Effect<URL, UpstreamFailed> => {
  const stream = new URL(response.url)
  const url = URL.parse(data.trim(), stream.href)
  if (url === null) return refuseEndpoint("that is no address")
  // Nothing but the origin is shown: the rest may name the session.
  if (url.origin !== stream.origin)
    return refuseEndpoint(
      `of another origin`,
      ` (${url.origin === "null" ? url.protocol : url.origin}): the token and the headers must not leave ${stream.origin}`
    )
  return url.username !== "" || url.password !== ""
    ? refuseEndpoint("with credentials in its address")
    : Effect.succeed(url)
}

const refuseEndpoint = (what: string, where = "") => {
  const problem = `MCP server named an endpoint ${what}`
  return Effect.fail(
    new UpstreamFailed({ kind: "Unusable", problem: problem + where, withoutAddress: problem })
  )
}

const otherTransport = 'If it speaks Streamable HTTP, leave `"transport": "sse"` out of its `config`'

const noStart = Effect.fail(
  new UpstreamFailed({
    kind: "Unusable",
    problem: `MCP server named no endpoint within ${Duration.toSeconds(startTimeout)} seconds. ${otherTransport}`
  })
)
