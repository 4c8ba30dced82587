import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import {
  idText,
  idTextAt,
  isResponse,
  type IdText,
  type JsonRpcMessage,
  withValuesAt
} from "../jsonrpc/JsonRpc.ts"
import type { Connect, ConnectionFailed, MessageConnection, OnMessage } from "../jsonrpc/MessageConnection.ts"

/** The connection of a session, which can be replaced by a new one to the same server. */
export interface SessionConnection<E> {
  /** Opens a connection, after the one before has been stopped. */
  readonly open: Effect.Effect<void, E | ConnectionFailed>
  /** Sends one message. */
  readonly send: (text: string) => Effect.Effect<void>
  /** The same without a fiber; false if nothing was sent. */
  readonly sendNow: (text: string) => boolean
  /** Sends a request under an id of its own and gives the answer. Fails with how the connection ended. */
  readonly ask: (request: JsonRpcMessage) => Effect.Effect<JsonRpcMessage, string>
  readonly logUnexpected: (text: string) => Effect.Effect<void>
  /** Whether the server has answered anything since the connection was opened. */
  readonly hasAnswered: () => boolean
  /** When the token of the connection expires, in milliseconds since the epoch; undefined if that is not known. */
  readonly expiresAt: () => number | undefined
  readonly stop: Effect.Effect<void>
}

interface Opened {
  readonly connection: MessageConnection
  readonly scope: Scope.Closeable
}

/**
 * Makes the connection of a session, which is stopped with the scope.
 *
 * @param options.onMessage gets the messages of the server, without the answers to `ask`
 * @param options.onEnded is run when a connection ends that has not been replaced
 */
export const makeSessionConnection = Effect.fnUntraced(function* <E>(options: {
  readonly connect: Connect<E>
  readonly onMessage: OnMessage
  readonly onEnded: (how: string) => Effect.Effect<void>
}): Effect.fn.Return<SessionConnection<E>, never, Scope.Scope> {
  const scope = yield* Effect.scope
  let opened: Opened | undefined
  let generation = 0
  let hasAnswered = false
  let asked = 0
  const waiting = new Map<IdText, Deferred.Deferred<JsonRpcMessage, string>>()

  const receive = (message: JsonRpcMessage): Effect.Effect<void> => {
    if (!isResponse(message.json)) return options.onMessage(message)
    hasAnswered = true
    const id = idTextAt(message)
    const answer = id === undefined ? undefined : waiting.get(id)
    return answer === undefined
      ? options.onMessage(message)
      : Effect.asVoid(Deferred.succeed(answer, message))
  }
  const receiveNow = (message: JsonRpcMessage): boolean =>
    hasAnswered && waiting.size === 0 && options.onMessage.now?.(message) === true
  const onEnded = (how: string) =>
    Effect.andThen(
      Effect.forEach([...waiting.values()], (answer) => Deferred.fail(answer, how), { discard: true }),
      options.onEnded(how)
    )

  const close = Effect.suspend(() => {
    const before = opened
    opened = undefined
    generation += 1
    return before === undefined ? Effect.void : Scope.close(before.scope, Exit.void)
  })
  const open = Effect.gen(function* () {
    yield* close
    hasAnswered = false
    const mine = generation
    const isCurrent = () => mine === generation
    const connectionScope = yield* Scope.fork(scope)
    const onMessage = (message: JsonRpcMessage) =>
      Effect.suspend(() => (isCurrent() ? receive(message) : Effect.void))
    const now = (message: JsonRpcMessage) => isCurrent() && receiveNow(message)
    const connection = yield* options.connect(Object.assign(onMessage, { now })).pipe(
      Scope.provide(connectionScope),
      Effect.onError(() => Scope.close(connectionScope, Exit.void))
    )
    opened = { connection, scope: connectionScope }
    yield* Effect.forkIn(
      Effect.flatMap(connection.ended, (how) => (isCurrent() ? onEnded(how) : Effect.void)),
      connectionScope
    )
  })

  const use = (f: (connection: MessageConnection) => Effect.Effect<void>) =>
    Effect.suspend(() => (opened === undefined ? Effect.void : f(opened.connection)))
  const send = (text: string) => use((connection) => connection.send(text))

  return {
    open,
    send,
    sendNow: (text) => opened?.connection.sendNow?.(text) === true,
    ask: (request) =>
      Effect.suspend(() => {
        asked += 1
        const id = idText(`secure-mcp-gateway:${asked}`)
        const answer = Deferred.makeUnsafe<JsonRpcMessage, string>()
        waiting.set(id, answer)
        return Effect.andThen(send(withValuesAt(request, [["id"], id])), Deferred.await(answer)).pipe(
          Effect.ensuring(Effect.sync(() => waiting.delete(id)))
        )
      }),
    logUnexpected: (text) => use((connection) => connection.logUnexpected(text)),
    hasAnswered: () => hasAnswered,
    expiresAt: () => opened?.connection.expiresAt,
    stop: use((connection) => connection.stop)
  }
})
