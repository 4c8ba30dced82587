import * as Effect from "effect/Effect"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type * as Scope from "effect/Scope"
import type { ServerResponse } from "node:http"
import type { ChildCommand } from "../ChildCommand.ts"
import type { Child } from "./Children.ts"
import { startChildServer, type ChildNotStarted } from "./ChildServer.ts"
import { makeHttpExchange, type HttpExchange } from "./HttpExchange.ts"
import {
  errorCodeOf,
  errorCodes,
  errorResponse,
  isRequest,
  isResponse,
  metaKeys,
  metaOf,
  objectAt,
  paramsOf,
  type JsonObject,
  type JsonRpcMessage,
  type JsonRpcRequest
} from "../../jsonrpc/JsonRpc.ts"

/** One child for the requests of many clients (MCP 2026-07-28, which has no sessions). */
export interface SharedChild extends Child {
  /** Passes one request on and answers it. If the client goes, the request is cancelled. */
  readonly request: (
    request: JsonRpcRequest,
    response: ServerResponse
  ) => Effect.Effect<void, never, Scope.Scope>
  readonly notify: (message: JsonRpcMessage) => Effect.Effect<void>
}

interface PendingRequest {
  readonly request: JsonRpcRequest
  readonly exchange: HttpExchange
}

/**
 * How long a server may be silent about `server/discover`. Servers that know only revisions with sessions may never
 * answer it, and their clients must learn that they should initialize.
 */
const discoverTimeout = "5 seconds"

/**
 * Starts a child that is shared.
 *
 * Ids, progress tokens and subscription ids of different clients may be alike, so on the pipe each request has a
 * number of its own for all three. With its token the child is over: the next request gets another one.
 */
export const makeSharedChild = Effect.fnUntraced(function* (options: {
  readonly serverName: string
  readonly command: ChildCommand
}): Effect.fn.Return<SharedChild, ChildNotStarted, Scope.Scope | ChildProcessSpawner> {
  const pending = new Map<unknown, PendingRequest>()
  let lastNumber = 0
  let over = false

  const deliver = ({ json }: JsonRpcMessage): Effect.Effect<void> => {
    if (isResponse(json)) return deliverResponse(json)
    if (isRequest(json)) return refuse(json)
    return deliverNotification(json)
  }

  const deliverResponse = (json: JsonObject) => {
    const asker = pending.get(json["id"])
    pending.delete(json["id"])
    // An answer may cross the cancellation of its request.
    if (asker === undefined) return Effect.void
    const { exchange, request } = asker
    const text = JSON.stringify(restoreResponse(json, request))
    return exchange.answer(text, statusOf(json, request))
  }

  /** The server may ask nothing in this revision; an answer at least keeps it from waiting. */
  const refuse = (json: JsonRpcRequest) =>
    child.send(
      errorResponse(json.id, errorCodes.methodNotFound, "MCP 2026-07-28 has no requests from the server")
    )

  const deliverNotification = (json: JsonObject) => {
    const asker = askerOf(json)
    if (asker === undefined)
      return Effect.logDebug("Dropped a notification of the MCP server that belongs to no request")
    const text = JSON.stringify(restoreNotification(json, asker.request))
    if (json["method"] !== "notifications/cancelled") return asker.exchange.notify(text)
    // The server ends a subscription: no response will come.
    pending.delete(paramsOf(json)["requestId"])
    return Effect.andThen(asker.exchange.notify(text), asker.exchange.end)
  }

  const askerOf = (json: JsonObject): PendingRequest | undefined => {
    const subscription = metaOf(json)[metaKeys.subscriptionId]
    if (subscription !== undefined) return pending.get(subscription)
    switch (json["method"]) {
      case "notifications/progress":
        return pending.get(paramsOf(json)["progressToken"])
      case "notifications/cancelled":
        return pending.get(paramsOf(json)["requestId"])
      case "notifications/message":
        return onlyLogReader()
      default:
        return undefined
    }
  }

  /**
   * A log message does not say which request it is about. With one reader there is no doubt; with several it is
   * dropped, since a request must never be told what another client's request is doing.
   */
  const onlyLogReader = () => {
    const readers = [...pending.values()].filter(
      ({ request }) => metaOf(request)[metaKeys.logLevel] !== undefined
    )
    return readers.length === 1 ? readers[0] : undefined
  }

  const child = yield* startChildServer({ ...options, onMessage: deliver })

  const fail = Effect.suspend(() => {
    over = true
    const unanswered = [...pending.values()]
    pending.clear()
    return Effect.forEach(unanswered, (asker) => answerUnavailable(options.serverName, asker), {
      discard: true
    })
  })
  yield* Effect.forkScoped(Effect.andThen(child.ended, fail))

  const request = Effect.fnUntraced(function* (request: JsonRpcRequest, response: ServerResponse) {
    const number = (lastNumber += 1)
    const exchange = yield* makeHttpExchange({
      response,
      headers: {},
      answers: 1,
      isBatch: false,
      // One client must not hold up the others.
      whenFull: "cut"
    })
    pending.set(number, { request, exchange })
    yield* Effect.addFinalizer(() => (pending.delete(number) ? cancel(number) : Effect.void))
    yield* child.send(JSON.stringify(renumber(request, number)))
    // The child may have ended while it was written to.
    if (over) yield* fail
    if (request.method === "server/discover") yield* Effect.forkScoped(giveUpDiscovery(number))
    yield* exchange.closed
  })

  const cancel = (number: number) =>
    child.send(
      JSON.stringify({
        jsonrpc: "2.0",
        method: "notifications/cancelled",
        params: { requestId: number, reason: "The client closed the connection" }
      })
    )

  const giveUpDiscovery = (number: number) =>
    Effect.suspend(() => {
      const asker = pending.get(number)
      return asker === undefined ? Effect.void : answerUnavailable(options.serverName, asker)
    }).pipe(Effect.delay(discoverTimeout))

  return {
    request,
    notify: ({ json, text }) =>
      // Its request id is one client's own and would hit another's request. Closing the response cancels here.
      json["method"] === "notifications/cancelled" ? Effect.void : child.send(text),
    end: Effect.andThen(fail, child.stop),
    ended: child.ended,
    isOver: (now) => over || (options.command.expiresAt ?? Infinity) <= now
  }
})

const renumber = (request: JsonRpcRequest, number: number): JsonObject => {
  if (metaOf(request)["progressToken"] === undefined) return { ...request, id: number }
  return {
    ...request,
    id: number,
    params: { ...paramsOf(request), _meta: { ...metaOf(request), progressToken: number } }
  }
}

const restoreResponse = (json: JsonObject, request: JsonRpcRequest): JsonObject => {
  const result = objectAt(json, "result")
  const meta = objectAt(result, "_meta")
  if (meta[metaKeys.subscriptionId] === undefined) return { ...json, id: request.id }
  return {
    ...json,
    id: request.id,
    result: { ...result, _meta: { ...meta, [metaKeys.subscriptionId]: request.id } }
  }
}

const restoreNotification = (json: JsonObject, request: JsonRpcRequest): JsonObject => {
  const params: Record<string, unknown> = { ...paramsOf(json) }
  if (json["method"] === "notifications/progress") params["progressToken"] = metaOf(request)["progressToken"]
  if (json["method"] === "notifications/cancelled") params["requestId"] = request.id
  const meta = metaOf(json)
  if (meta[metaKeys.subscriptionId] !== undefined)
    params["_meta"] = { ...meta, [metaKeys.subscriptionId]: request.id }
  return { ...json, params }
}

/** The HTTP status for an answer (MCP 2026-07-28, Streamable HTTP, "Protocol Version Header"). */
const statusOf = (json: JsonObject, request: JsonRpcRequest): number => {
  switch (errorCodeOf(json)) {
    case undefined:
      return 200
    case errorCodes.headerMismatch:
    case errorCodes.missingClientCapability:
    case errorCodes.unsupportedProtocolVersion:
      return 400
    case errorCodes.methodNotFound:
      return request.method === "server/discover" ? 400 : 404
    default:
      // Every server of this revision answers server/discover. At 400 without a code of this revision a client
      // goes back to one with sessions ("Backward Compatibility").
      return request.method === "server/discover" ? 400 : 200
  }
}

const answerUnavailable = (serverName: string, { exchange, request }: PendingRequest) =>
  request.method === "server/discover"
    ? exchange.answer(
        errorResponse(
          request.id,
          errorCodes.methodNotFound,
          `The MCP server "${serverName}" does not answer server/discover`
        ),
        400
      )
    : exchange.answer(
        errorResponse(request.id, errorCodes.serverUnavailable, `The MCP server "${serverName}" has ended`),
        502
      )
