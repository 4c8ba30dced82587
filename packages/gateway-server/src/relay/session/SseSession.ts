import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberHandle from "effect/FiberHandle"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { UpstreamFailed } from "../../fetch/Fetch.ts"
import { afterRequest, emptySetup, requestsToRepeat } from "../../jsonrpc/ClientSetup.ts"
import {
  idTextAt,
  type IdText,
  isResponse,
  type JsonRpcMessage,
  makeNotification,
  requestIdOf
} from "../../jsonrpc/JsonRpc.ts"
import { entryById } from "../../jsonrpc/MatchingIds.ts"
import type { MessageConnection } from "../../jsonrpc/MessageConnection.ts"
import { type Deliver, maxSubscriptions, refusalOf, type ServerSession } from "./ServerSession.ts"

/** Opens a connection, which is stopped with the scope. */
export type ConnectSse = (deliver: Deliver) => Effect.Effect<MessageConnection, UpstreamFailed, Scope.Scope>

/** A connection that carries a session, and the requests that wait for an answer on it. */
interface Live {
  readonly connection: MessageConnection
  readonly waiting: Map<IdText, Waiting>
}

interface Waiting {
  readonly request: JsonRpcMessage
  readonly deliver: Deliver
  readonly answered: Deferred.Deferred<void, UpstreamFailed>
}

/** How long the server has to begin another session. */
const restartTimeout = "30 seconds"

const reconnection = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("15 seconds")])

/**
 * Makes a session over HTTP+SSE. The session ends with its connection, and the requests that wait on it fail. Then another
 * connection is opened, with growing pauses, and the client's own `initialize` is sent again.
 */
export const makeSseSession = Effect.fnUntraced(function* (options: {
  readonly connect: ConnectSse
  readonly deliver: Deliver
}): Effect.fn.Return<ServerSession, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const keeper = yield* FiberHandle.make<unknown, never>()
  const initialize = yield* Ref.make<JsonRpcMessage | undefined>(undefined)
  const setup = yield* Ref.make(emptySetup)
  /** The connection, or the attempt to open one that all wait for. */
  const current = yield* Ref.make<Deferred.Deferred<Live, UpstreamFailed> | undefined>(undefined)

  const live: Effect.Effect<Live, UpstreamFailed> = Effect.gen(function* () {
    const known = yield* Ref.get(current)
    if (known !== undefined) return yield* Deferred.await(known)
    const attempt = Deferred.makeUnsafe<Live, UpstreamFailed>()
    yield* Ref.set(current, attempt)
    yield* open(attempt).pipe(
      Effect.onError(() => Ref.set(current, undefined)),
      Deferred.into(attempt),
      Effect.forkIn(scope)
    )
    return yield* Deferred.await(attempt)
  })

  const open = Effect.fnUntraced(function* (attempt: Deferred.Deferred<Live, UpstreamFailed>) {
    const own = yield* Scope.fork(scope)
    return yield* connectIn(own, attempt).pipe(
      Effect.timeoutOrElse({ duration: restartTimeout, orElse: () => Effect.fail(noAnswer) }),
      Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
    )
  })

  const connectIn = Effect.fnUntraced(function* (
    own: Scope.Closeable,
    attempt: Deferred.Deferred<Live, UpstreamFailed>
  ) {
    const waiting = new Map<IdText, Waiting>()
    const connection = yield* options.connect((message) => receive(waiting, message)).pipe(Scope.provide(own))
    const opened: Live = { connection, waiting }
    yield* Effect.forkIn(
      Effect.flatMap(connection.ended, (how) => closeAfter(how, opened, own, attempt)),
      scope
    )
    const greeting = yield* Ref.get(initialize)
    if (greeting === undefined) return opened
    yield* Effect.logWarning("The connection to the MCP server had ended; beginning another session")
    yield* ask(opened, greeting)
    yield* connection.send(makeNotification("notifications/initialized").text)
    for (const request of requestsToRepeat(yield* Ref.get(setup)))
      yield* Effect.forkIn(Effect.ignore(ask(opened, request)), own)
    return opened
  })

  const closeAfter = Effect.fnUntraced(function* (
    how: string,
    { waiting }: Live,
    own: Scope.Closeable,
    attempt: Deferred.Deferred<Live, UpstreamFailed>
  ) {
    yield* Ref.update(current, (known) => (known === attempt ? undefined : known))
    const failure = new UpstreamFailed({ kind: "Broken", problem: `MCP server ${how}` })
    for (const { answered } of waiting.values()) yield* Deferred.fail(answered, failure)
    waiting.clear()
    yield* Scope.close(own, Exit.void)
    if ((yield* Ref.get(initialize)) !== undefined)
      yield* FiberHandle.run(
        keeper,
        Effect.ignore(Effect.delay(Effect.retry(live, reconnection), "1 second")),
        { onlyIfMissing: true }
      )
  })

  const receive = (waiting: Map<IdText, Waiting>, message: JsonRpcMessage): Effect.Effect<void> => {
    if (!isResponse(message.json)) return options.deliver(message)
    const found = entryById(waiting, idTextAt(message))
    if (found === undefined) return options.deliver(message)
    const [id, request] = found
    waiting.delete(id)
    return Effect.andThen(request.deliver(message), Deferred.succeed(request.answered, undefined))
  }

  /** Sends a request and waits for its answer. */
  const exchange = Effect.fnUntraced(function* (
    { connection, waiting }: Live,
    id: IdText,
    entry: Waiting
  ): Effect.fn.Return<void, UpstreamFailed> {
    waiting.set(id, entry)
    yield* connection.send(entry.request.text).pipe(
      Effect.andThen(Deferred.await(entry.answered)),
      // It may have ended before it knew of this request.
      Effect.raceFirst(
        Effect.flatMap(connection.ended, (how) =>
          Effect.andThen(
            Effect.yieldNow,
            Effect.fail(new UpstreamFailed({ kind: "Broken", problem: `MCP server ${how}` }))
          )
        )
      ),
      Effect.ensuring(Effect.sync(() => waiting.delete(id)))
    )
  })

  /** A request of the relay's own, whose answer the client does not get. Fails if the server refuses it. */
  const ask = Effect.fnUntraced(function* (opened: Live, request: JsonRpcMessage) {
    const id = idTextAt(request)
    if (id === undefined) return
    const answered = Deferred.makeUnsafe<void, UpstreamFailed>()
    const deliver: Deliver = ({ json }) =>
      "error" in json ? Effect.asVoid(Deferred.fail(answered, refusalOf(json))) : Effect.void
    yield* exchange(opened, id, { request, deliver, answered })
  })

  const post = Effect.fnUntraced(function* (message: JsonRpcMessage) {
    const opened = yield* Effect.mapError(live, notSent)
    const id = requestIdOf(message)
    if (id === undefined) return yield* opened.connection.send(message.text)
    const deliver: Deliver = (answer) => {
      const isResult = "result" in answer.json
      const learned = !isResult
        ? Effect.void
        : message.json["method"] === "initialize"
          ? Ref.set(initialize, message)
          : Ref.update(setup, (known) => afterRequest(known, message, maxSubscriptions))
      return Effect.andThen(learned, options.deliver(answer))
    }
    yield* exchange(opened, id, { request: message, deliver, answered: Deferred.makeUnsafe() })
  })

  return { post, listen: Effect.void, end: Effect.void }
})

/** Without a connection nothing is sent, however the attempt to open one failed. */
const notSent = (failure: UpstreamFailed): UpstreamFailed =>
  failure.kind === "Broken" || failure.kind === "Unusable"
    ? new UpstreamFailed({ kind: "NotSent", problem: failure.problem })
    : failure

const noAnswer = new UpstreamFailed({
  kind: "Unusable",
  problem: "MCP server did not begin a session in time"
})
