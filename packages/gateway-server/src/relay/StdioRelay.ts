import { withCorrelationId } from "@secure-mcp/oauth-core"
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberHandle from "effect/FiberHandle"
import * as FiberMap from "effect/FiberMap"
import * as FiberSet from "effect/FiberSet"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { Readable, Writable } from "node:stream"
import { describeFate, type UpstreamFailed } from "../fetch/Fetch.ts"
import {
  errorCodes,
  errorResponse,
  idTextAt,
  isMessage,
  isResponse,
  parseJsonRpc,
  readJsonRpc,
  requestIdOf,
  withIdAt,
  type IdText,
  type JsonRpcMessage,
  type UnreadableMessage
} from "../jsonrpc/JsonRpc.ts"
import { lines } from "../jsonrpc/Lines.ts"
import { findIds, LongMessageReader, type LongMessage } from "../jsonrpc/LongMessage.ts"
import { declaredVersion } from "../jsonrpc/MirroredHeaders.ts"
import { makeRelayError, makeWriter, type RelayError } from "./Output.ts"
import { makeRequestsUnderWay, type RequestUnderWay } from "./RequestsUnderWay.ts"
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
 */
export const relay = Effect.fnUntraced(function* (options: {
  readonly input: Readable
  readonly output: Writable
  readonly connect: (deliver: Deliver) => Effect.Effect<ServerSession, never, Scope.Scope>
  readonly limits: RelayLimits
}): Effect.fn.Return<void, RelayError, Scope.Scope> {
  const { limits } = options
  const broken = yield* Deferred.make<never, RelayError>()
  const write = yield* makeWriter(options.output, broken)
  const underWay = makeRequestsUnderWay()
  const hasAnswered = yield* Ref.make(false)
  const room = yield* Semaphore.make(limits.unreadBytes)

  const deliver: Deliver = (message) => {
    if (!isResponse(message.json)) return write(message.text)
    const found = underWay.find(message)
    if (found === undefined)
      return Effect.logWarning("The MCP server answered a request that is not under way")
    const [id, request] = found
    const answer = Effect.andThen(Ref.set(hasAnswered, true), write(withIdAt(message, id)))
    return underWay.settle(id, request, answer)
  }

  const session = yield* options.connect(deliver)
  const requests = yield* FiberMap.make<IdText, void, never>()
  const notifications = yield* FiberSet.make<void, never>()
  const listener = yield* FiberHandle.make<void, never>()
  yield* Effect.addFinalizer(() => session.end)

  /** Completes when the messages that must arrive first have arrived. */
  const turn = yield* Ref.make<Effect.Effect<void>>(Effect.void)

  /** Makes the effect that sends a message in its turn, when there is room for the message. */
  const takeUp = (message: JsonRpcMessage) => {
    const size = Math.min(Buffer.byteLength(message.text), limits.unreadBytes)
    return Semaphore.take(room, size).pipe(
      Effect.andThen(Ref.get(turn)),
      Effect.map((before) =>
        Effect.andThen(before, session.post(message)).pipe(Effect.ensuring(Semaphore.release(room, size)))
      )
    )
  }

  const startRequest = Effect.fnUntraced(function* (id: IdText, message: JsonRpcMessage) {
    const problem = refusalOf(id)
    if (problem !== undefined) return yield* write(errorResponse(id, errorCodes.invalidRequest, problem))
    const request: RequestUnderWay = {
      method: String(message.json["method"]),
      isStateless: declaredVersion(message.json) !== undefined,
      settled: Deferred.makeUnsafe()
    }
    underWay.add(id, request)
    const answered = (yield* takeUp(message)).pipe(
      Effect.match({
        onFailure: (failure) => failureResponse(id, failure),
        onSuccess: () => errorResponse(id, errorCodes.internalError, "MCP server gave no answer")
      }),
      Effect.flatMap((otherwise) => underWay.settle(id, request, write(otherwise))),
      Effect.ensuring(underWay.settle(id, request, Effect.void)),
      withCorrelationId
    )
    yield* FiberMap.run(requests, id, answered)
    if (request.method === "initialize") yield* Ref.set(turn, Deferred.await(request.settled))
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
    const before = yield* Ref.get(turn)
    const accepted = yield* passOn(initialized)
    const opened = yield* Deferred.make<void>()
    yield* before.pipe(
      Effect.andThen(Effect.timeoutOption(Fiber.await(accepted), patience)),
      Effect.andThen(Deferred.succeed(opened, undefined)),
      Effect.andThen(FiberHandle.run(listener, session.listen, { onlyIfMissing: true })),
      FiberSet.run(notifications)
    )
    yield* Ref.set(turn, Deferred.await(opened))
  })

  /** Nobody waits for the answer any more. A stateless server learns it from the closed connection. */
  const cancel = Effect.fnUntraced(function* (message: JsonRpcMessage) {
    const found = underWay.find(message, ["params", "requestId"])
    if (found?.[1].isStateless !== true) yield* passOn(message)
    // MCP 2025-11-25, "Cancellation": `initialize` must not be cancelled.
    if (found === undefined || found[1].method === "initialize") return
    const [id, request] = found
    yield* underWay.settle(id, request, Effect.void)
    yield* FiberMap.remove(requests, id)
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

  const relayLine = (line: string): Effect.Effect<void> => {
    if (line.trim() === "") return Effect.void
    return readJsonRpc(line).pipe(
      Effect.flatMap(({ messages }) => Effect.forEach(messages, relayMessage, { discard: true })),
      Effect.catch((unreadable) => refuseUnreadable(line, unreadable))
    )
  }

  const relayInput = NodeStream.fromReadable({
    evaluate: () => options.input,
    onError: (cause) => makeRelayError("input", cause)
  }).pipe(
    lines({
      maxBytes: limits.messageBytes,
      lineEnd: "crOrLf",
      onTooLong: () => new LongMessageReader()
    }),
    Stream.runForEach((line) => (typeof line === "string" ? relayLine(line) : refuseTooLong(line)))
  )

  /** A subscription ends with the client's input, not with an answer. */
  const finish = Effect.gen(function* () {
    const due = [...underWay.all().values()].filter(({ method }) => method !== "subscriptions/listen")
    yield* Effect.forEach(due, ({ settled }) => Deferred.await(settled), { discard: true }).pipe(
      Effect.andThen(FiberSet.awaitEmpty(notifications)),
      Effect.timeoutOption((yield* Ref.get(hasAnswered)) ? lastAnswers : scriptAnswers)
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
