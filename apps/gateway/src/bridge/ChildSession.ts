import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import type { ServerResponse } from "node:http"
import { sendEmpty } from "../jsonrpc/HttpAnswer.ts"
import {
  errorCodes,
  errorResponse,
  isRequest,
  idTextAt,
  type IdText,
  type JsonRpcMessage
} from "../jsonrpc/JsonRpc.ts"
import type { Connect, ConnectionFailed } from "../jsonrpc/MessageConnection.ts"
import type { Child } from "./Children.ts"
import { makeHttpExchange, type HttpExchange } from "./HttpExchange.ts"
import {
  addRequest,
  endSession,
  forgetExchange,
  initialState,
  openStream,
  route,
  type Delivery
} from "./SessionState.ts"

/** A client's session with a child of its own (MCP 2025-11-25 and older). */
export interface ChildSession extends Child {
  /** Passes on the messages of one POST and answers it. */
  readonly post: (posted: Posted, response: ServerResponse) => Effect.Effect<void, never, Scope.Scope>
  /** Opens the client's GET stream. It replaces an earlier one. */
  readonly listen: (response: ServerResponse) => Effect.Effect<void, never, Scope.Scope>
  /** Whether the client got a result, that of `initialize` above all. */
  readonly isEstablished: () => boolean
}

/** The body of a POST. */
export interface Posted {
  readonly messages: ReadonlyArray<JsonRpcMessage>
  readonly isBatch: boolean
}

/**
 * Starts a child and the session with it. The child has the token it was started with until the session ends, even
 * past its expiry: another child would not know the session.
 */
export const makeChildSession = Effect.fnUntraced(function* <E>(options: {
  readonly id: string
  readonly serverName: string
  readonly connect: Connect<E>
}): Effect.fn.Return<ChildSession, E | ConnectionFailed, Scope.Scope> {
  const headers = { "mcp-session-id": options.id }
  const state = yield* Ref.make(initialState)
  const hasEnded = () => Ref.getUnsafe(state).phase === "Ended"

  const child = yield* options.connect((message) =>
    Effect.flatMap(Ref.modify(state, route(message)), deliver)
  )

  const end = Effect.gen(function* () {
    const unanswered = yield* Ref.modify(state, endSession)
    const text = (id: IdText) =>
      errorResponse(id, errorCodes.serverUnavailable, `The MCP server "${options.serverName}" has ended`)
    yield* Effect.forEach(unanswered, ({ exchange, id }) => exchange.answer(text(id), 502), {
      concurrency: "unbounded",
      discard: true
    })
    const { stream } = yield* Ref.get(state)
    if (stream !== undefined) yield* stream.end
  })
  yield* Effect.forkScoped(Effect.andThen(child.ended, end))
  /** The child may have ended while it was written to. */
  const endIfChildHas = Effect.suspend(() => (hasEnded() ? end : Effect.void))

  const sendRequest = Effect.fnUntraced(function* (
    message: JsonRpcMessage,
    id: IdText,
    exchange: HttpExchange
  ) {
    const isAdded = yield* Ref.modify(state, addRequest(message, id, exchange))
    yield* isAdded ? child.send(message.text) : refuseUsedId(id, exchange)
  })

  return {
    post: Effect.fnUntraced(function* ({ isBatch, messages }, response) {
      const answers = messages.filter(({ json }) => isRequest(json)).length
      if (answers === 0) {
        yield* Effect.forEach(messages, ({ text }) => child.send(text), { discard: true })
        return sendEmpty(response, 202)
      }
      const exchange = yield* makeHttpExchange({ response, headers, answers, isBatch, whenFull: "wait" })
      yield* Effect.addFinalizer(() => Ref.update(state, forgetExchange(exchange)))
      yield* Effect.forEach(
        messages,
        (message) => {
          const id = isRequest(message.json) ? idTextAt(message) : undefined
          return id === undefined ? child.send(message.text) : sendRequest(message, id, exchange)
        },
        { discard: true }
      )
      yield* endIfChildHas
      yield* exchange.closed
    }),
    listen: Effect.fnUntraced(function* (response) {
      const exchange = yield* makeHttpExchange({
        response,
        headers,
        answers: 0,
        isBatch: false,
        whenFull: "wait"
      })
      const { queued, replaced } = yield* Ref.modify(state, openStream(exchange))
      if (replaced !== undefined) yield* replaced.end
      yield* Effect.forEach(queued, exchange.notify, { discard: true })
      yield* endIfChildHas
      yield* exchange.closed
    }),
    end: Effect.andThen(end, child.stop),
    ended: Effect.asVoid(child.ended),
    isOver: hasEnded,
    isEstablished: () => Ref.getUnsafe(state).phase === "Established"
  }
})

const deliver = (delivery: Delivery): Effect.Effect<void> => {
  switch (delivery._tag) {
    case "Answer":
      return delivery.exchange.answer(delivery.text, 200)
    case "Notify":
      return delivery.exchange.notify(delivery.text)
    case "Queue":
      return Effect.void
    case "DropAnswer":
      return Effect.logDebug("Dropped an answer of the MCP server that no client waits for")
    case "DropMessage":
      return Effect.logWarning(
        "Dropped a message of the MCP server: its client has opened no stream, and too many wait for one"
      )
  }
}

const refuseUsedId = (id: IdText, exchange: HttpExchange) =>
  exchange.answer(
    errorResponse(id, errorCodes.invalidRequest, "A request with this id is under way in the session"),
    400
  )
