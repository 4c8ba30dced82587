import * as Effect from "effect/Effect"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type * as Scope from "effect/Scope"
import type { ServerResponse } from "node:http"
import type { ChildCommand } from "../ChildCommand.ts"
import type { Child } from "./Children.ts"
import { startChildServer, type ChildNotStarted } from "./ChildServer.ts"
import { makeHttpExchange, sendEmpty, type HttpExchange } from "./HttpExchange.ts"
import {
  errorCodes,
  errorResponse,
  idKey,
  isRequest,
  isResponse,
  metaOf,
  paramsOf,
  type JsonObject,
  type JsonRpcMessage,
  type JsonRpcRequest,
  type RequestId
} from "../../jsonrpc/JsonRpc.ts"

/** A client's session with a child of its own (MCP 2025-11-25 and older). */
export interface Session extends Child {
  /** Passes on what one POST brought and answers it. */
  readonly post: (posted: Posted, response: ServerResponse) => Effect.Effect<void, never, Scope.Scope>
  /** Opens the stream for messages that belong to no request, in the place of an earlier one. */
  readonly listen: (response: ServerResponse) => Effect.Effect<void, never, Scope.Scope>
  /** Whether the client got a successful answer, that to `initialize` above all. */
  readonly isEstablished: () => boolean
}

/** The body of a POST. */
export interface Posted {
  readonly messages: ReadonlyArray<JsonRpcMessage>
  readonly isBatch: boolean
}

interface PendingRequest {
  readonly id: RequestId
  readonly progressToken: unknown
  readonly exchange: HttpExchange
}

/** How many messages wait for a stream to be opened. */
const maxBacklog = 256

/**
 * Starts a child and the session with it.
 *
 * A pipe does not say which request a message of the server belongs to. Progress notifications go where their
 * token says; everything else goes to the client's GET stream, else to the latest request under way, else it waits
 * for a GET stream. The child keeps the token it was started with until the session ends, even past its expiry:
 * another child would not know the session.
 */
export const makeSession = Effect.fnUntraced(function* (options: {
  readonly id: string
  readonly serverName: string
  readonly command: ChildCommand
}): Effect.fn.Return<Session, ChildNotStarted, Scope.Scope | ChildProcessSpawner> {
  const headers = { "mcp-session-id": options.id }
  const pending = new Map<string, PendingRequest>()
  const backlog: Array<string> = []
  let listener: HttpExchange | undefined
  let over = false
  let established = false

  const deliver = ({ json, text }: JsonRpcMessage) => {
    if (isResponse(json)) return deliverResponse(json, text)
    const exchange = exchangeFor(json)
    return exchange === undefined ? keep(text) : exchange.notify(text)
  }

  const deliverResponse = (json: JsonObject, text: string) => {
    const key = idKey(json["id"])
    const request = pending.get(key)
    pending.delete(key)
    if (request?.exchange.isOpen() === true) {
      established ||= "result" in json
      return request.exchange.answer(text, 200)
    }
    return Effect.logDebug("Dropped an answer of the MCP server for which nobody waits")
  }

  const exchangeFor = (json: JsonObject): HttpExchange | undefined => {
    const open = [...pending.values()].filter(({ exchange }) => exchange.isOpen())
    if (json["method"] === "notifications/progress") {
      const token = paramsOf(json)["progressToken"]
      const asker = open.find(({ progressToken }) => progressToken === token)
      if (asker !== undefined) return asker.exchange
    }
    return listener?.isOpen() === true ? listener : open.at(-1)?.exchange
  }

  const keep = (text: string) => {
    if (backlog.length < maxBacklog) {
      backlog.push(text)
      return Effect.void
    }
    return Effect.logWarning(
      "Dropped a message of the MCP server: its client listens to none, and too many wait"
    )
  }

  const child = yield* startChildServer({ ...options, onMessage: deliver })

  const fail = Effect.suspend(() => {
    over = true
    const unanswered = [...pending.values()]
    pending.clear()
    return Effect.forEach(
      unanswered,
      ({ exchange, id }) =>
        exchange.answer(
          errorResponse(id, errorCodes.serverUnavailable, `The MCP server "${options.serverName}" has ended`),
          502
        ),
      { concurrency: "unbounded", discard: true }
    ).pipe(Effect.andThen(Effect.suspend(() => listener?.end ?? Effect.void)))
  })
  yield* Effect.forkScoped(Effect.andThen(child.ended, fail))

  const post = Effect.fnUntraced(function* ({ isBatch, messages }: Posted, response: ServerResponse) {
    const requests = messages.map(({ json }) => json).filter(isRequest)
    if (requests.length === 0) {
      yield* Effect.forEach(messages, ({ text }) => child.send(text), { discard: true })
      return sendEmpty(response, 202)
    }
    const exchange = yield* makeHttpExchange({
      response,
      headers,
      answers: requests.length,
      isBatch,
      whenFull: "wait"
    })
    for (const { json, text } of messages) {
      if (isRequest(json) && pending.has(idKey(json.id))) yield* refuseUsedId(json, exchange)
      else {
        if (isRequest(json)) pending.set(idKey(json.id), pendingRequest(json, exchange))
        yield* child.send(text)
      }
    }
    // The child may have ended while it was written to.
    if (over) yield* fail
    yield* exchange.closed
  })

  const listen = Effect.fnUntraced(function* (response: ServerResponse) {
    const replaced = listener
    const exchange = yield* makeHttpExchange({
      response,
      headers,
      answers: 0,
      isBatch: false,
      whenFull: "wait"
    })
    listener = exchange
    if (replaced !== undefined) yield* replaced.end
    yield* Effect.forEach(backlog.splice(0), exchange.notify, { discard: true })
    if (over) yield* exchange.end
    yield* exchange.closed
  })

  return {
    post,
    listen,
    end: Effect.andThen(fail, child.stop),
    ended: child.ended,
    isOver: () => over,
    isEstablished: () => established
  }
})

const pendingRequest = (request: JsonRpcRequest, exchange: HttpExchange): PendingRequest => ({
  id: request.id,
  progressToken: metaOf(request)["progressToken"],
  exchange
})

const refuseUsedId = (request: JsonRpcRequest, exchange: HttpExchange) =>
  exchange.answer(
    errorResponse(
      request.id,
      errorCodes.invalidRequest,
      "A request with this id is under way in the session"
    ),
    400
  )
