import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import type { ServerResponse } from "node:http"
import {
  errorCodeOf,
  errorCodes,
  errorResponse,
  idTextAt,
  isRequest,
  isResponse,
  makeNotification,
  metaKeys,
  metaOf,
  objectAt,
  paramsOf,
  type JsonObject,
  type JsonRpcMessage
} from "../jsonrpc/JsonRpc.ts"
import { declaredVersion } from "../jsonrpc/MirroredHeaders.ts"
import type { Connect, ConnectionFailed } from "../jsonrpc/MessageConnection.ts"
import type { Child } from "./Children.ts"
import { makeHttpExchange, type HttpExchange } from "./HttpExchange.ts"
import {
  type ClientIds,
  numberIn,
  restoreNotification,
  restoreResponse,
  withNumber
} from "./IdTranslation.ts"

/** One child for the requests of many clients (MCP 2026-07-28, which has no sessions). */
export interface SharedChild extends Child {
  /** Passes one request on and answers it. If the client closes the connection, the request is cancelled. */
  readonly request: (
    request: ClientRequest,
    response: ServerResponse
  ) => Effect.Effect<void, never, Scope.Scope>
  /** Passes one notification on. */
  readonly notify: (message: JsonRpcMessage) => Effect.Effect<void>
}

/** A request of a client, with its ids. */
export interface ClientRequest extends JsonRpcMessage {
  readonly ids: ClientIds
}

interface PendingRequest {
  readonly request: ClientRequest
  readonly exchange: HttpExchange
}

interface State {
  readonly hasEnded: boolean
  readonly lastNumber: number
  /** By the number that the child knows a request by. */
  readonly pending: HashMap.HashMap<unknown, PendingRequest>
}

const initialState: State = { hasEnded: false, lastNumber: 0, pending: HashMap.empty() }

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

const find =
  (number: unknown) =>
  ({ pending }: State): PendingRequest | undefined =>
    Option.getOrUndefined(HashMap.get(pending, number))

const endAll = (state: State): readonly [ReadonlyArray<PendingRequest>, State] => [
  [...HashMap.values(state.pending)],
  { ...state, hasEnded: true, pending: HashMap.empty() }
]

/**
 * Waits this long for an answer to `server/discover`. Servers that know only revisions with sessions may never answer
 * it, and their clients must learn that they should initialize.
 */
const discoverTimeout = "5 seconds"

/** Starts a child that many clients share. Once its token has expired it takes no more requests. */
export const makeSharedChild = Effect.fnUntraced(function* <E>(options: {
  readonly serverName: string
  readonly connect: Connect<E>
}): Effect.fn.Return<SharedChild, E | ConnectionFailed, Scope.Scope> {
  const { serverName } = options
  const state = yield* Ref.make(initialState)

  const deliver = (message: JsonRpcMessage): Effect.Effect<void> => {
    if (isResponse(message.json)) return deliverResponse(message)
    if (isRequest(message.json)) return refuseRequest(message)
    return deliverNotification(message)
  }

  const deliverResponse = Effect.fnUntraced(function* (message: JsonRpcMessage) {
    const { json } = message
    const requester = yield* Ref.modify(state, take(json["id"]))
    // An answer may cross the cancellation of its request.
    if (requester === undefined) return
    const { exchange, request } = requester
    const unsupported = unsupportedVersion(json, request)
    if (unsupported !== undefined) return yield* exchange.answer(unsupported, 400)
    yield* exchange.answer(restoreResponse(message, request.ids), statusOf(json, request))
  })

  /** The server may ask nothing in this revision. The answer keeps it from waiting. */
  const refuseRequest = (message: JsonRpcMessage) =>
    child.send(
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

  const child = yield* options.connect(deliver)

  const end = Effect.gen(function* () {
    const unanswered = yield* Ref.modify(state, endAll)
    yield* Effect.forEach(unanswered, (requester) => answerUnavailable(serverName, requester), {
      discard: true
    })
  })
  yield* Effect.forkScoped(Effect.andThen(child.ended, end))

  const cancelIfPending = Effect.fnUntraced(function* (number: number) {
    const requester = yield* Ref.modify(state, take(number))
    if (requester !== undefined) yield* child.send(cancellation(number))
  })

  const giveUpDiscovery = Effect.fnUntraced(function* (number: number) {
    yield* Effect.sleep(discoverTimeout)
    const requester = find(number)(yield* Ref.get(state))
    if (requester !== undefined) yield* answerUnavailable(serverName, requester)
  })

  return {
    request: Effect.fnUntraced(function* (request, response) {
      const exchange = yield* makeHttpExchange({
        response,
        headers: {},
        answers: 1,
        isBatch: false,
        // One slow client must not delay the others.
        whenFull: "cut"
      })
      const number = yield* Ref.modify(state, add({ request, exchange }))
      yield* Effect.addFinalizer(() => cancelIfPending(number))
      yield* child.send(withNumber(request, number))
      // The child may have ended while it was written to.
      if ((yield* Ref.get(state)).hasEnded) yield* end
      if (isDiscovery(request)) yield* Effect.forkScoped(giveUpDiscovery(number))
      yield* exchange.closed
    }),
    notify: ({ json, text }) =>
      // Its request id is one client's own and would hit another's request. Closing the response cancels here.
      json["method"] === "notifications/cancelled" ? Effect.void : child.send(text),
    end: Effect.andThen(end, child.stop),
    ended: Effect.asVoid(child.ended),
    isOver: (now) => Ref.getUnsafe(state).hasEnded || (child.expiresAt ?? Infinity) <= now
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

const cancellation = (number: number): string =>
  makeNotification("notifications/cancelled", {
    requestId: number,
    reason: "The client closed the connection"
  }).text

/**
 * The error for a discovery in a revision that the server does not list. Over stdio a server may look at the revision of
 * its first request only, and then answer others with what it supports.
 */
const unsupportedVersion = (json: JsonObject, request: ClientRequest): string | undefined => {
  const supported = objectAt(json, "result")["supportedVersions"]
  const requested = declaredVersion(request.json)
  return isDiscovery(request) && Array.isArray(supported) && !supported.includes(requested)
    ? errorResponse(
        request.ids.id,
        errorCodes.unsupportedProtocolVersion,
        `Unsupported protocol version: ${requested}`,
        { supported, requested }
      )
    : undefined
}

/** The HTTP status for an answer (MCP 2026-07-28, Streamable HTTP, "Protocol Version Header"). */
const statusOf = (json: JsonObject, request: ClientRequest): number => {
  const code = errorCodeOf(json)
  if (code === undefined) return 200
  if (badRequestCodes.has(code)) return 400
  // Every server of this revision answers server/discover. At 400 without a code of this revision a client goes back to
  // one with sessions ("Backward Compatibility").
  if (isDiscovery(request)) return 400
  return code === errorCodes.methodNotFound ? 404 : 200
}

const isDiscovery = ({ json }: ClientRequest): boolean => json["method"] === "server/discover"

const badRequestCodes: ReadonlySet<number> = new Set([
  errorCodes.headerMismatch,
  errorCodes.missingClientCapability,
  errorCodes.unsupportedProtocolVersion
])

const answerUnavailable = (serverName: string, { exchange, request }: PendingRequest) =>
  isDiscovery(request)
    ? exchange.answer(
        errorResponse(
          request.ids.id,
          errorCodes.methodNotFound,
          `The MCP server "${serverName}" does not answer server/discover`
        ),
        400
      )
    : exchange.answer(
        errorResponse(
          request.ids.id,
          errorCodes.serverUnavailable,
          `The MCP server "${serverName}" has ended`
        ),
        502
      )
