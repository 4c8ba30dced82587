import type { Limits } from "@secure-mcp/transport-injection"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import type { ServerResponse } from "node:http"
import {
  errorCodes,
  errorResponse,
  idText,
  idTextAt,
  isRequest,
  isResponse,
  makeCancellation,
  makeRequest,
  metaKeys,
  metaOf,
  paramsOf,
  type JsonObject,
  type JsonRpcMessage
} from "../jsonrpc/JsonRpc.ts"
import type { Connect, ConnectionFailed } from "../jsonrpc/MessageConnection.ts"
import type { Connection } from "./Connections.ts"
import {
  isDiscovery,
  statusOf,
  statusUnanswered,
  unsupportedVersion,
  type ClientRequest
} from "./Discovery.ts"
import { makeHttpExchange, type HttpExchange } from "./HttpExchange.ts"
import { numberIn, restoreNotification, restoreResponse, withNumber } from "./IdTranslation.ts"
import { makeReplies } from "./Replies.ts"
import { didNotStart, hasEnded, unavailableResponse, wasStopped, type Unavailable } from "./Unavailable.ts"

/** One connection for the requests of many clients (MCP 2026-07-28, which has no sessions). */
export interface SharedConnection extends Connection {
  /** Passes one request on and answers it. If the client closes the connection, the request is cancelled. */
  readonly request: (
    request: ClientRequest,
    response: ServerResponse
  ) => Effect.Effect<void, never, Scope.Scope>
  /** Passes one notification on. */
  readonly notify: (message: JsonRpcMessage) => Effect.Effect<void>
}

interface PendingRequest {
  readonly request: ClientRequest
  readonly exchange: HttpExchange
}

interface State {
  readonly ended: Unavailable | undefined
  readonly lastNumber: number
  /** By the number that the server knows a request by. */
  readonly pending: HashMap.HashMap<unknown, PendingRequest>
  /** The latest numbers whose answers are of no use to a client: of cancelled requests, and of our own. */
  readonly unused: ReadonlyArray<unknown>
}

const initialState: State = { ended: undefined, lastNumber: 0, pending: HashMap.empty(), unused: [] }

/** How many of the numbers are remembered. */
const maxUnused = 1024

/** A number for a request of our own. */
const ownNumber = (state: State): readonly [number, State] => {
  const number = state.lastNumber + 1
  return [number, { ...state, lastNumber: number, unused: withUnused(number, state) }]
}

const withUnused = (number: unknown, { unused }: State) => [...unused, number].slice(-maxUnused)

const add =
  (request: PendingRequest) =>
  (state: State): readonly [number, State] => {
    const number = state.lastNumber + 1
    return [number, { ...state, lastNumber: number, pending: HashMap.set(state.pending, number, request) }]
  }

const take =
  (number: unknown) =>
  (state: State): readonly [PendingRequest | undefined, State] => [
    find(number)(state),
    { ...state, pending: HashMap.remove(state.pending, number) }
  ]

/** Takes a request out that is cancelled; undefined if it has been answered. */
const cancel =
  (number: number) =>
  (state: State): readonly [PendingRequest | undefined, State] => {
    const [request, rest] = take(number)(state)
    return [request, request === undefined ? rest : { ...rest, unused: withUnused(number, rest) }]
  }

const find =
  (number: unknown) =>
  ({ pending }: State): PendingRequest | undefined =>
    Option.getOrUndefined(HashMap.get(pending, number))

/** The first reason counts. */
const endAll =
  (why: Unavailable) =>
  (
    state: State
  ): readonly [{ readonly why: Unavailable; readonly unanswered: ReadonlyArray<PendingRequest> }, State] => [
    { why: state.ended ?? why, unanswered: [...HashMap.values(state.pending)] },
    { ...state, ended: state.ended ?? why, pending: HashMap.empty() }
  ]

/** How long a server that answers may leave server/discover unanswered before its client is told to initialize. */
const discoverTimeout = "5 seconds"
/** How long a server may be silent before it is asked whether it is there. */
const silence = "2 seconds"

/** Opens a connection that clients share. */
export const makeSharedConnection = Effect.fnUntraced(function* <E>(options: {
  readonly serverName: string
  readonly connect: Connect<E>
  readonly limits: Limits
  readonly startTimeout: Duration.Duration
}): Effect.fn.Return<SharedConnection, E | ConnectionFailed, Scope.Scope> {
  const { limits, serverName, startTimeout } = options
  const scope = yield* Effect.scope
  const state = yield* Ref.make(initialState)
  const answered = yield* Deferred.make<void>()

  const deliver = (message: JsonRpcMessage): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (isResponse(message.json)) return deliverResponse(message)
      if (isRequest(message.json)) return refuseRequest(message)
      return deliverNotification(message)
    })

  const deliverResponse = Effect.fnUntraced(function* (message: JsonRpcMessage) {
    const id = message.json["id"]
    const requester = yield* Ref.modify(state, take(id))
    const isUnused = (yield* Ref.get(state)).unused.includes(id)
    if (requester === undefined && !isUnused) return yield* connection.logUnexpected(message.text)
    yield* Deferred.succeed(answered, undefined)
    if (requester === undefined) return
    const { exchange, request } = requester
    const unsupported = unsupportedVersion(message, request)
    if (unsupported !== undefined) return yield* exchange.answer(unsupported, 400)
    yield* exchange.answer(restoreResponse(message, request.ids), statusOf(message, request))
  })

  /** The server may ask nothing in this revision. The answer keeps it from waiting. */
  const refuseRequest = (message: JsonRpcMessage) =>
    reply(
      errorResponse(
        idTextAt(message),
        errorCodes.methodNotFound,
        "MCP 2026-07-28 has no requests from the server"
      )
    )

  const deliverNotification = Effect.fnUntraced(function* (message: JsonRpcMessage) {
    const { json } = message
    const requester = requesterOf(json, yield* Ref.get(state))
    if (requester === undefined)
      return yield* Effect.logDebug("Dropped a notification of the MCP server that belongs to no request")
    const { exchange, request } = requester
    yield* exchange.notify(restoreNotification(message, request.ids))
    if (json["method"] !== "notifications/cancelled") return
    // The server ends a subscription: no response will come.
    yield* Ref.modify(state, take(paramsOf(json)["requestId"]))
    yield* exchange.end
  })

  /** A server may write before the connection is in our hands. */
  const opened = yield* Latch.make()
  const connection = yield* options.connect((message) => opened.whenOpen(deliver(message)))
  const reply = yield* makeReplies(connection.send)
  yield* opened.open

  const end = Effect.fnUntraced(function* (reason: Unavailable) {
    const { unanswered, why } = yield* Ref.modify(state, endAll(reason))
    yield* Effect.forEach(
      unanswered,
      ({ exchange, request }) =>
        exchange.answer(
          unavailableResponse(serverName, request.ids.id, why),
          statusUnanswered(request, why.status)
        ),
      { discard: true }
    )
  })
  const isOver = () => Ref.getUnsafe(state).ended !== undefined
  yield* connection.ended.pipe(
    Effect.tap((how) => (isOver() ? Effect.void : Effect.logWarning(`MCP server ${how}`))),
    Effect.flatMap((how) => end(hasEnded(how))),
    Effect.forkScoped
  )

  const cancelIfPending = Effect.fnUntraced(function* (number: number) {
    const requester = yield* Ref.modify(state, cancel(number))
    if (requester === undefined) return
    const cancellation = makeCancellation(idText(number), "The client closed the connection")
    yield* Effect.forkIn(connection.send(cancellation.text), scope)
  })

  const isPending = (number: number) => find(number)(Ref.getUnsafe(state)) !== undefined

  const watchStart = Effect.fnUntraced(function* (number: number) {
    const isAnswered = yield* Effect.timeoutOption(Deferred.await(answered), startTimeout)
    if (Option.isSome(isAnswered) || !isPending(number)) return
    yield* end(didNotStart(startTimeout))
    yield* connection.stop
  })

  /**
   * Waits for the first answer. A server that is still starting says nothing; one of a revision with sessions may be
   * silent about a method it does not know, but answers a ping even before it is initialized.
   */
  const awaitFirstAnswer = Effect.gen(function* () {
    const isAnswered = yield* Effect.timeoutOption(Deferred.await(answered), silence)
    if (Option.isSome(isAnswered)) return
    yield* connection.send(makeRequest(yield* Ref.modify(state, ownNumber), "ping").text)
    yield* Deferred.await(answered)
  })

  const giveUpDiscovery = Effect.fnUntraced(function* (
    number: number,
    { exchange, request }: PendingRequest
  ) {
    yield* awaitFirstAnswer
    yield* Effect.sleep(discoverTimeout)
    if (!isPending(number)) return
    yield* exchange.answer(
      errorResponse(
        request.ids.id,
        errorCodes.methodNotFound,
        `The MCP server "${serverName}" does not answer server/discover`
      ),
      400
    )
  })

  return {
    request: Effect.fnUntraced(function* (request, response) {
      const exchange = yield* makeHttpExchange({ response, headers: {}, answers: 1, isBatch: false, limits })
      const number = yield* Ref.modify(state, add({ request, exchange }))
      yield* Effect.addFinalizer(() => cancelIfPending(number))
      yield* Effect.forkScoped(watchStart(number))
      if (isDiscovery(request)) yield* Effect.forkScoped(giveUpDiscovery(number, { request, exchange }))
      yield* connection.send(withNumber(request, number))
      // The server may have ended while it was written to.
      if (isOver()) yield* end(wasStopped)
      yield* exchange.closed
    }),
    notify: ({ json, text }) =>
      // Its request id is one client's own and would hit another's request. Closing the response cancels here.
      json["method"] === "notifications/cancelled" ? Effect.void : connection.send(text),
    end: Effect.andThen(end(wasStopped), connection.stop),
    ended: Effect.asVoid(connection.ended),
    isOver: (now) => isOver() || (connection.expiresAt ?? Infinity) <= now
  }
})

/**
 * The request that a notification belongs to. A log message does not say which it is about: with one reader there is no
 * doubt; with several it belongs to none, since a client must never be told what another client's request is doing.
 */
const requesterOf = (json: JsonObject, state: State): PendingRequest | undefined => {
  const number = numberIn(json)
  if (number !== undefined) return find(number)(state)
  if (json["method"] !== "notifications/message") return undefined
  const readers = [...HashMap.values(state.pending)].filter(
    ({ request }) => metaOf(request.json)[metaKeys.logLevel] !== undefined
  )
  return readers.length === 1 ? readers[0] : undefined
}
