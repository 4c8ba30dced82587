import type { Limits } from "@secure-mcp/transport-injection"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as MutableRef from "effect/MutableRef"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import type { ServerResponse } from "node:http"
import { sendEmpty } from "../jsonrpc/HttpAnswer.ts"
import {
  errorCodes,
  errorResponse,
  idTextAt,
  isResponse,
  requestIdOf,
  makeCancellation,
  type IdText,
  type JsonRpcMessage
} from "../jsonrpc/JsonRpc.ts"
import type { Connect, ConnectionFailed } from "../jsonrpc/MessageConnection.ts"
import type { Connection } from "./Connections.ts"
import { type DirectResponse, makeDirectExchange } from "./DirectExchange.ts"
import { makeHttpExchange, type HttpExchange } from "./HttpExchange.ts"
import { makeReplies } from "./Replies.ts"
import { makeSessionConnection } from "./SessionConnection.ts"
import { emptyHistory, makeSessionRenewal, remember } from "./SessionRenewal.ts"
import {
  abandonExchange,
  addRequests,
  cancelRequest,
  endSession,
  initialState,
  openStream,
  route,
  takeAnswer,
  type Delivery
} from "./SessionState.ts"
import { didNotStart, hasEnded, unavailableResponse, wasStopped, type Unavailable } from "./Unavailable.ts"

/** A client's session with a connection of its own (MCP 2025-11-25 and older). */
export interface Session<E> extends Connection {
  /** Passes on the messages of one POST and answers it. Fails only if nothing has been written. */
  readonly post: (
    posted: Posted,
    response: ServerResponse
  ) => Effect.Effect<void, E | ConnectionFailed, Scope.Scope>
  /** Whether `postNow` is worth a try. */
  readonly isDirect: (now: number) => boolean
  /**
   * Passes on a request and answers it without a fiber, if nothing has to be waited for before it can be sent; false if
   * nothing was sent.
   *
   * @param onClose called when the response has been sent, or the client has gone
   */
  readonly postNow: (message: JsonRpcMessage, id: IdText, to: DirectResponse, onClose: () => void) => boolean
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

/** Opens a connection and begins the session with it. */
export const makeSession = Effect.fnUntraced(function* <E>(options: {
  readonly id: string
  readonly serverName: string
  readonly connect: Connect<E>
  readonly limits: Limits
  readonly startTimeout: Duration.Duration
}): Effect.fn.Return<Session<E>, E | ConnectionFailed, Scope.Scope> {
  const { limits, serverName, startTimeout } = options
  const headers = { "mcp-session-id": options.id }
  const scope = yield* Effect.scope
  const state = yield* Ref.make(initialState)
  const history = yield* Ref.make(emptyHistory)
  const ended = yield* Deferred.make<Unavailable>()
  const idle = yield* Latch.make(true)

  const isOver = () => Ref.getUnsafe(state).phase === "Ended"

  const noteIfIdleNow = () =>
    Ref.getUnsafe(state).pending.size === 0 ? Latch.openUnsafe(idle) : Latch.closeUnsafe(idle)
  const noteIfIdle = Effect.sync(noteIfIdleNow)
  const tellClient = (message: JsonRpcMessage): Effect.Effect<void> =>
    Ref.modify(state, route(message, limits)).pipe(Effect.flatMap(deliver), Effect.andThen(noteIfIdle))

  /** Takes an answer to a request that was passed on without a fiber. */
  const tellClientNow = (message: JsonRpcMessage): boolean => {
    if (!isResponse(message.json)) return false
    const [delivery, next] = route(message, limits)(Ref.getUnsafe(state))
    if (delivery._tag !== "Answer" || delivery.exchange.answerNow?.(delivery.text) !== true) return false
    MutableRef.set(state.ref, next)
    noteIfIdleNow()
    return true
  }

  /**
   * Answers what is under way, now and each time it is called. Nothing interrupts that: the end of the session closes its
   * scope, which a request that has no fiber does not keep open.
   */
  const endAll = (why: Unavailable) =>
    Effect.gen(function* () {
      yield* Deferred.succeed(ended, why)
      const { how, status } = yield* Deferred.await(ended)
      const unanswered = yield* Ref.modify(state, endSession)
      yield* Effect.forEach(
        unanswered,
        ({ exchange, id }) => exchange.answer(unavailableResponse(serverName, id, { how, status }), status),
        { discard: true }
      )
      yield* noteIfIdle
      const { stream } = yield* Ref.get(state)
      if (stream !== undefined) yield* stream.end
    }).pipe(Effect.uninterruptible)
  /** The session may have ended while the server was written to. */
  const endIfOver = Effect.suspend(() => (isOver() ? endAll(wasStopped) : Effect.void))

  const connection = yield* makeSessionConnection({
    connect: options.connect,
    onMessage: Object.assign((message: JsonRpcMessage) => tellClient(message), { now: tellClientNow }),
    onEnded: (how) =>
      Effect.andThen(isOver() ? Effect.void : Effect.logWarning(`MCP server ${how}`), endAll(hasEnded(how)))
  })
  const reply = yield* makeReplies(connection.send)
  const renewal = yield* makeSessionRenewal({
    serverName,
    startTimeout,
    state,
    history,
    connection,
    whenIdle: Latch.await(idle),
    tellClient,
    endSession: endAll
  })

  const deliver = (delivery: Delivery): Effect.Effect<void> => {
    switch (delivery._tag) {
      case "Answer":
        return delivery.exchange.answer(delivery.text, 200)
      case "Notify":
        return delivery.exchange.notify(delivery.text)
      case "Queue":
        return Effect.void
      case "DropLateAnswer":
        return Effect.logDebug("Dropped the answer to a request that was cancelled")
      case "DropUnexpected":
        return connection.logUnexpected(delivery.text)
      case "DropMessage":
        return refuseMessage(delivery.requestId)
    }
  }
  /** Logged once until the client opens a stream, because more will follow. */
  let isOverflowLogged = false
  const refuseMessage = Effect.fnUntraced(function* (requestId: IdText | undefined) {
    if (!isOverflowLogged)
      yield* Effect.logWarning(
        `Messages of the MCP server are dropped: its client has opened no stream, and too many wait for one (\`limits.queued_messages\` is ${limits.queuedMessages}, \`limits.unread_bytes\` is ${limits.unreadBytes})`
      )
    isOverflowLogged = true
    if (requestId !== undefined)
      yield* reply(
        errorResponse(
          requestId,
          errorCodes.serverUnavailable,
          "The client has opened no stream to be asked on"
        )
      )
  })

  const cancelUnanswered = Effect.fnUntraced(function* (exchange: HttpExchange) {
    const abandoned = yield* Ref.modify(state, abandonExchange(exchange))
    if (abandoned.length === 0) return
    yield* noteIfIdle
    yield* Effect.forEach(
      // "The `initialize` request MUST NOT be cancelled" (MCP 2025-11-25, "Cancellation").
      abandoned.filter(({ method }) => method !== "initialize"),
      ({ id }) => connection.send(makeCancellation(id, "The client has closed the connection").text),
      { discard: true }
    ).pipe(Effect.forkIn(scope))
  })

  const pass = Effect.fnUntraced(function* (message: JsonRpcMessage) {
    if (isResponse(message.json)) {
      if (!(yield* Ref.modify(state, takeAnswer(message)))) return
    } else if (message.json["method"] === "notifications/cancelled") {
      const cancelled = yield* Ref.modify(state, cancelRequest(message))
      if (cancelled !== undefined) yield* cancelled.exchange.cancelAnswer
      yield* noteIfIdle
    }
    yield* Ref.update(history, remember(message))
    yield* connection.send(message.text)
  })

  /** Adds requests once they can be sent. Gives those that cannot, because their ids are in use. */
  const add = (
    requests: Parameters<typeof addRequests>[0],
    exchange: HttpExchange
  ): Effect.Effect<ReadonlySet<JsonRpcMessage>, E | ConnectionFailed> =>
    Effect.gen(function* () {
      yield* renewal.renewIfExpired
      const addition = yield* Ref.modify(state, addRequests(requests, exchange))
      yield* noteIfIdle
      if (addition._tag === "Added") return addition.refused
      yield* renewal.whenReady
      return yield* add(requests, exchange)
    })

  const isDirect = (now: number) =>
    Ref.getUnsafe(state).phase === "Established" && connection.hasAnswered() && !renewal.isDue(now)

  const postNow: Session<E>["postNow"] = (message, id, to, onClose) => {
    const before = Ref.getUnsafe(state)
    if (before.isRenewing || before.pending.has(id) || !connection.sendNow(message.text)) return false
    const begin = makeHttpExchange({ response: to.response, headers, answers: 1, isBatch: false, limits })
    const exchange = makeDirectExchange(to, Object.entries(headers).flat(), begin, () => {
      onClose()
      if (Ref.getUnsafe(state).pending.get(id)?.exchange === exchange) to.run(cancelUnanswered(exchange))
    })
    MutableRef.set(state.ref, addRequests([{ id, message }], exchange)(before)[1])
    MutableRef.update(history.ref, remember(message))
    noteIfIdleNow()
    return true
  }

  const refuseAll = (
    requests: ReadonlyArray<{ readonly id: IdText }>,
    exchange: HttpExchange,
    error: E | ConnectionFailed
  ) => {
    const problem =
      error instanceof Error
        ? error.message
        : `The token of MCP server "${serverName}" has expired, and there is no new one`
    return Effect.forEach(
      requests,
      ({ id }) => exchange.answer(errorResponse(id, errorCodes.serverUnavailable, problem), 502),
      { discard: true }
    )
  }

  const watchStart = Effect.gen(function* () {
    yield* Effect.sleep(startTimeout)
    if (connection.hasAnswered()) return
    yield* endAll(didNotStart(startTimeout))
    yield* connection.stop
  })

  yield* connection.open
  return {
    isDirect,
    postNow,
    post: Effect.fnUntraced(function* ({ isBatch, messages }, response) {
      const requests = messages.flatMap((message) => {
        const id = requestIdOf(message)
        return id === undefined ? [] : [{ id, message }]
      })
      if (requests.length === 0) {
        yield* renewal.whenReady
        yield* Effect.forEach(messages, pass, { discard: true })
        return sendEmpty(response, 202)
      }
      const exchange = yield* makeHttpExchange({
        response,
        headers,
        answers: requests.length,
        isBatch,
        limits
      })
      yield* Effect.addFinalizer(() => cancelUnanswered(exchange))
      const refused = yield* add(requests, exchange).pipe(
        Effect.catch((error) =>
          response.headersSent
            ? Effect.as(refuseAll(requests, exchange, error), undefined)
            : Effect.fail(error)
        )
      )
      if (refused !== undefined) {
        if (!connection.hasAnswered()) yield* Effect.forkScoped(watchStart)
        yield* Effect.forEach(
          messages,
          (message) => (refused.has(message) ? refuseUsedId(message, exchange) : pass(message)),
          { discard: true }
        )
      }
      yield* endIfOver
      yield* exchange.closed
    }),
    listen: Effect.fnUntraced(function* (response) {
      const exchange = yield* makeHttpExchange({ response, headers, answers: 0, isBatch: false, limits })
      const { queued, replaced } = yield* Ref.modify(state, openStream(exchange))
      isOverflowLogged = false
      if (replaced !== undefined) yield* replaced.drop
      if (queued.length > 0) yield* exchange.notify(...queued)
      yield* endIfOver
      yield* exchange.closed
    }),
    end: Effect.andThen(endAll(wasStopped), connection.stop),
    ended: Effect.asVoid(Deferred.await(ended)),
    isOver,
    isEstablished: () => Ref.getUnsafe(state).phase === "Established"
  }
})

const refuseUsedId = (message: JsonRpcMessage, exchange: HttpExchange) =>
  exchange.answer(
    errorResponse(
      idTextAt(message),
      errorCodes.invalidRequest,
      "A request with this id is under way in the session"
    ),
    400
  )
