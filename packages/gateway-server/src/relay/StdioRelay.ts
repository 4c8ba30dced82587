import { withCorrelationId } from "@secure-mcp/oauth-core"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberHandle from "effect/FiberHandle"
import * as FiberMap from "effect/FiberMap"
import * as FiberSet from "effect/FiberSet"
import * as MutableRef from "effect/MutableRef"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import type { Readable, Writable } from "node:stream"
import { describeFate, type UpstreamFailed } from "../fetch/Fetch.ts"
import {
  errorCodes,
  errorResponse,
  idTextAt,
  isMessage,
  isResponse,
  parseJsonRpc,
  parseOnlyMessage,
  readJsonRpc,
  requestIdOf,
  withIdAt,
  type IdText,
  type JsonRpcMessage,
  type UnreadableMessage
} from "../jsonrpc/JsonRpc.ts"
import { readLines } from "../jsonrpc/LineInput.ts"
import { findIds, LongMessageReader, type LongMessage } from "../jsonrpc/LongMessage.ts"
import { makeDirectRequests } from "./DirectRequests.ts"
import { makeOutput, makeRelayError, type RelayError } from "./Output.ts"
import { makeRequestsUnderWay, type RequestUnderWay } from "./RequestsUnderWay.ts"
import { Room } from "./Room.ts"
import type { Deliver, ServerSession } from "./session/ServerSession.ts"

/** What a relay keeps in memory at most. */
export interface RelayLimits {
  /** The longest message. */
  readonly messageBytes: number
  /** Requests that have no answer yet. */
  readonly unreadMessages: number
  /** Messages that are being sent; the input is not read on until there is room. */
  readonly unreadBytes: number
}

/** How long a client that has closed its input gets answers that are due. */
const lastAnswers = "750 millis"

/** The same for a script that has closed its input before there was any answer. */
const scriptAnswers = "60 seconds"

/** How long `notifications/initialized` may hold up what follows it. */
const patience = "2 seconds"

/**
 * Offers an MCP server on a pair of streams, message by message, in any revision. Completes when the input has ended and
 * the requests under way are answered or have had their time. A request that fails is answered with a JSON-RPC error, and the
 * relay goes on. Only messages are written to the output, and each request is answered once.
 *
 * The session ends with the scope.
 *
 * @param options.connect makes the session with the server
 * @param options.onFirstAnswer called when the server has answered for the first time
 */
export const relay = Effect.fnUntraced(function* (options: {
  readonly input: Readable
  readonly output: Writable
  readonly connect: (deliver: Deliver) => Effect.Effect<ServerSession, never, Scope.Scope>
  readonly limits: RelayLimits
  readonly onFirstAnswer?: () => void
}): Effect.fn.Return<void, RelayError, Scope.Scope> {
  const { limits } = options
  const broken = yield* Deferred.make<never, RelayError>()
  const output = yield* makeOutput(options.output, broken)
  const { write } = output
  const underWay = makeRequestsUnderWay()
  const hasAnswered = MutableRef.make(false)
  const room = new Room(limits.unreadBytes)

  const onAnswer = () => {
    if (MutableRef.get(hasAnswered)) return
    MutableRef.set(hasAnswered, true)
    options.onFirstAnswer?.()
  }
  const deliver: Deliver = (message) => {
    if (!isResponse(message.json)) return write(message.text)
    const request = underWay.find(message)
    if (request === undefined)
      return Effect.logWarning("The MCP server answered a request that is not under way")
    onAnswer()
    return underWay.settle(request, write(withIdAt(message, request.id)))
  }

  const session = yield* options.connect(deliver)
  const requests = yield* FiberMap.make<IdText, void, never>()
  const runRequest = yield* FiberMap.runtime(requests)<never>()
  const notifications = yield* FiberSet.make<void, never>()
  const listener = yield* FiberHandle.make<void, never>()
  yield* Effect.addFinalizer(() => Effect.sync(() => underWay.all().forEach(({ abort }) => abort?.())))
  yield* Effect.addFinalizer(() => session.end)

  /** Done when the messages that must arrive first have arrived. */
  const turn = yield* Ref.make<Deferred.Deferred<void> | undefined>(undefined)
  /** How many messages wait for it. */
  const waiting = MutableRef.make(0)

  const isItsTurn = () => {
    const before = Ref.getUnsafe(turn)
    return MutableRef.get(waiting) === 0 && (before === undefined || Deferred.isDoneUnsafe(before))
  }

  const waitFor = (before: Deferred.Deferred<void> | undefined) =>
    before === undefined
      ? Effect.void
      : Effect.acquireUseRelease(
          Effect.sync(() => MutableRef.increment(waiting)),
          () => Deferred.await(before),
          () => Effect.sync(() => MutableRef.decrement(waiting))
        )

  /** Makes the effect that sends a message in its turn, when there is room for the message. */
  const takeUp = (message: JsonRpcMessage) => {
    const size = room.sizeOf(message.text)
    return Effect.map(room.take(size), () =>
      Effect.andThen(waitFor(Ref.getUnsafe(turn)), session.post(message)).pipe(
        Effect.ensuring(Effect.sync(() => room.release(size)))
      )
    )
  }

  /** Makes the effect that answers a request with what is sent for it, or with why there is no answer. */
  const answered = (request: RequestUnderWay, sent: Effect.Effect<void, UpstreamFailed>) =>
    sent.pipe(
      Effect.match({
        onFailure: (failure) => failureResponse(request.id, failure),
        onSuccess: () => errorResponse(request.id, errorCodes.internalError, "MCP server gave no answer")
      }),
      Effect.flatMap((otherwise) => underWay.settle(request, write(otherwise))),
      Effect.ensuring(underWay.settle(request, Effect.void)),
      withCorrelationId
    )

  const sendNow = makeDirectRequests({
    session,
    underWay,
    output,
    deliver,
    onAnswer,
    room,
    goOn: (request, size, rest) => {
      const released = Effect.ensuring(
        rest,
        Effect.sync(() => room.release(size))
      )
      runRequest(request.id, answered(request, released))
    }
  })

  const startRequest = Effect.fnUntraced(function* (id: IdText, message: JsonRpcMessage) {
    const problem = refusalOf(id)
    if (problem !== undefined) return yield* write(errorResponse(id, errorCodes.invalidRequest, problem))
    const request = underWay.add(id, message)
    yield* FiberMap.run(requests, id, answered(request, yield* takeUp(message)))
    if (request.method === "initialize") yield* Ref.set(turn, request.settled)
  })

  const refusalOf = (id: IdText): string | undefined => {
    if (underWay.all().has(id)) return "A request with this id is under way"
    return underWay.all().size < limits.unreadMessages
      ? undefined
      : `${limits.unreadMessages} requests are under way, as many as \`limits.unread_messages\` allows`
  }

  const passOn = Effect.fnUntraced(function* (message: JsonRpcMessage) {
    const posted = (yield* takeUp(message)).pipe(
      Effect.catch((failure) =>
        Effect.logWarning("A notification or an answer did not reach the MCP server:", failure.message)
      ),
      withCorrelationId
    )
    return yield* FiberSet.run(notifications, posted)
  })

  /** No later message may arrive before it, as long as the server does not take too long to accept it. */
  const startSession = Effect.fnUntraced(function* (initialized: JsonRpcMessage) {
    const before = Ref.getUnsafe(turn)
    const accepted = yield* passOn(initialized)
    const opened = yield* Deferred.make<void>()
    yield* waitFor(before).pipe(
      Effect.andThen(Effect.timeoutOption(Fiber.await(accepted), patience)),
      Effect.andThen(Deferred.succeed(opened, undefined)),
      Effect.andThen(FiberHandle.run(listener, session.listen, { onlyIfMissing: true })),
      FiberSet.run(notifications)
    )
    yield* Ref.set(turn, opened)
  })

  /** Nobody waits for the answer any more. A stateless server learns it from the closed connection. */
  const cancel = Effect.fnUntraced(function* (message: JsonRpcMessage) {
    const found = underWay.find(message, ["params", "requestId"])
    if (found?.isStateless !== true) yield* passOn(message)
    // MCP 2025-11-25, "Cancellation": `initialize` must not be cancelled.
    if (found === undefined || found.method === "initialize") return
    yield* underWay.settle(found, Effect.void)
    found.abort?.()
    yield* FiberMap.remove(requests, found.id)
  })

  const relayMessage = (message: JsonRpcMessage): Effect.Effect<unknown> => {
    const { json } = message
    if (!isMessage(json)) {
      const asked = typeof json["method"] === "string" ? idTextAt(message) : undefined
      return write(errorResponse(asked, errorCodes.invalidRequest, "This is no JSON-RPC 2.0 message"))
    }
    const id = requestIdOf(message)
    if (id !== undefined) return startRequest(id, message)
    if (json["method"] === "notifications/cancelled") return cancel(message)
    return json["method"] === "notifications/initialized" ? startSession(message) : passOn(message)
  }

  const refuse = ({ requests }: LongMessage, code: number, problem: string) =>
    Effect.forEach(
      requests.length === 0 ? [undefined] : requests,
      (id) => write(errorResponse(id, code, problem)),
      { discard: true }
    )
  const refuseUnreadable = (line: string, { code, isBeyondBound, problem }: UnreadableMessage) =>
    isBeyondBound
      ? Effect.flatMap(findIds(line), (found) => refuse(found, code, problem))
      : write(errorResponse(undefined, code, problem))
  const refuseTooLong = (found: LongMessage) =>
    refuse(
      found,
      errorCodes.invalidRequest,
      `The message has more than ${limits.messageBytes} bytes, the value of \`limits.message_bytes\``
    )

  const relayText = (line: string) =>
    readJsonRpc(line).pipe(
      Effect.flatMap(({ messages }) => Effect.forEach(messages, relayMessage, { discard: true })),
      Effect.catch((unreadable) => refuseUnreadable(line, unreadable))
    )

  const relayLine = (line: string): Effect.Effect<void> | undefined => {
    if (line.trim() === "") return undefined
    const message = parseOnlyMessage(line)
    if (message === undefined) return relayText(line)
    const id = requestIdOf(message)
    const isSent = id !== undefined && isItsTurn() && refusalOf(id) === undefined && sendNow(id, message)
    return isSent ? undefined : Effect.asVoid(relayMessage(message))
  }

  const relayInput = readLines(
    options.input,
    { maxBytes: limits.messageBytes, lineEnd: "crOrLf", onTooLong: () => new LongMessageReader() },
    (line) => (typeof line === "string" ? relayLine(line) : refuseTooLong(line))
  ).pipe(Effect.mapError((cause) => makeRelayError("input", cause)))

  /** A subscription ends with the client's input, not with an answer. */
  const finish = Effect.gen(function* () {
    const due = [...underWay.all().values()].filter(({ method }) => method !== "subscriptions/listen")
    yield* Effect.forEach(due, ({ settled }) => Deferred.await(settled), { discard: true }).pipe(
      Effect.andThen(FiberSet.awaitEmpty(notifications)),
      Effect.timeoutOption(MutableRef.get(hasAnswered) ? lastAnswers : scriptAnswers)
    )
  })

  yield* Effect.raceFirst(Effect.andThen(relayInput, finish), Deferred.await(broken))
})

/** The server's own error, if it gave one, with the id of the request. */
const failureResponse = (id: IdText, failure: UpstreamFailed): string => {
  const error = parseJsonRpc(failure.body ?? "")?.messages.find(
    ({ json }) => isResponse(json) && "error" in json && "id" in json
  )
  return error === undefined
    ? errorResponse(id, errorCodes.internalError, `${failure.problem}${describeFate(failure)}`)
    : withIdAt(error, id)
}
