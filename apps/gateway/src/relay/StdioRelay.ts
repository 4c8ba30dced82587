import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as FiberSet from "effect/FiberSet"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Readable, Writable } from "node:stream"
import {
  errorCodes,
  errorResponse,
  idTextAt,
  isMessage,
  isRequest,
  isResponse,
  parseJsonRpc,
  type IdText,
  type JsonRpcMessage,
  type JsonRpcRequest
} from "../jsonrpc/JsonRpc.ts"
import { replaceAt } from "../jsonrpc/JsonText.ts"
import { boundedLines, type Line } from "../jsonrpc/Lines.ts"
import { declaredVersion } from "../jsonrpc/MirroredHeaders.ts"
import { makeUpstreamSession } from "./UpstreamSession.ts"
import type { Fetch, UpstreamFailed } from "./UpstreamResponse.ts"

/** The client's input or output failed: nothing can be relayed any more. */
export class RelayError extends Schema.TaggedError<RelayError>()("RelayError", {
  stream: Schema.Literals(["input", "output"]),
  problem: Schema.String
}) {
  override get message(): string {
    return `The ${this.stream} of the relay failed: ${this.problem}`
  }
}

const maxMessageLength = 64 * 1024 * 1024

/** How long the relay waits for answers once the client has closed its input. */
const lastAnswers = "60 seconds"

/** A request of the client that is not answered yet. */
interface RequestUnderWay {
  /** Closing the connection cancels a request of the stateless revision. */
  readonly isStateless: boolean
  /** A subscription ends with the client's input, not with an answer. */
  readonly isSubscription: boolean
}

/**
 * Offers a Streamable HTTP server on a pair of streams, message by message, in any revision. Completes when the
 * input has ended and the requests under way are answered. A request that fails is answered with a JSON-RPC error,
 * and the relay goes on. Only messages are written to the output.
 *
 * @param options.fetch sends requests to the server, with a token if it needs one
 */
export const relay = Effect.fnUntraced(function* (options: {
  readonly input: Readable
  readonly output: Writable
  readonly fetch: Fetch
}): Effect.fn.Return<void, RelayError, Scope.Scope> {
  const broken = yield* Deferred.make<never, RelayError>()
  const write = yield* makeWriter(options.output, broken)
  const session = yield* makeUpstreamSession({ fetch: options.fetch, deliver: ({ text }) => write(text) })
  const requests = yield* FiberMap.make<IdText, void, never>()
  const notifications = yield* FiberSet.make<void, never>()
  const listeners = yield* FiberSet.make<void, never>()
  const underWay = new Map<IdText, RequestUnderWay>()

  const answer = (id: IdText, message: JsonRpcMessage) =>
    session.post(message).pipe(Effect.catch((failure) => write(failureResponse(id, failure))))

  const startRequest = (request: JsonRpcRequest, id: IdText, message: JsonRpcMessage) => {
    if (FiberMap.hasUnsafe(requests, id))
      return write(errorResponse(id, errorCodes.invalidRequest, "A request with this id is under way"))
    underWay.set(id, {
      isStateless: declaredVersion(request) !== undefined,
      isSubscription: request.method === "subscriptions/listen"
    })
    const answered = Effect.ensuring(
      answer(id, message),
      Effect.sync(() => underWay.delete(id))
    )
    return Effect.asVoid(FiberMap.run(requests, id, answered))
  }

  const passOn = (message: JsonRpcMessage) =>
    session
      .post(message)
      .pipe(
        Effect.catch((failure) =>
          Effect.logWarning("The MCP server refused a notification or an answer:", failure.message)
        )
      )

  const relayMessage = (message: JsonRpcMessage): Effect.Effect<void> => {
    const { json } = message
    if (!isMessage(json))
      return write(errorResponse(undefined, errorCodes.invalidRequest, "This is no JSON-RPC message"))
    const id = idTextAt(message)
    if (isRequest(json) && id !== undefined) return startRequest(json, id, message)
    if (json["method"] === "notifications/cancelled") {
      const key = idTextAt(message, ["params", "requestId"])
      if (key !== undefined && underWay.get(key)?.isStateless === true) return FiberMap.remove(requests, key)
    }
    if (json["method"] === "notifications/initialized")
      // No later message may arrive before it.
      return passOn(message).pipe(Effect.andThen(FiberSet.run(listeners, session.listen)), Effect.asVoid)
    return Effect.asVoid(FiberSet.run(notifications, passOn(message)))
  }
  const relayLine = (line: Line): Effect.Effect<void> => {
    if (line === "") return Effect.void
    const parsed = line === undefined ? undefined : parseJsonRpc(line)
    if (parsed === undefined)
      return write(errorResponse(undefined, errorCodes.parseError, "This is no JSON-RPC message"))
    return Effect.forEach(parsed.messages, relayMessage, { discard: true })
  }

  const relayInput = NodeStream.fromReadable({
    evaluate: () => options.input,
    onError: (cause) => new RelayError({ stream: "input", problem: problemOf(cause) })
  }).pipe(boundedLines(maxMessageLength), Stream.runForEach(relayLine))

  const finish = Effect.gen(function* () {
    const subscriptions = [...underWay].filter(([, { isSubscription }]) => isSubscription)
    yield* Effect.forEach(subscriptions, ([key]) => FiberMap.remove(requests, key), { discard: true })
    yield* Effect.all([FiberMap.awaitEmpty(requests), FiberSet.awaitEmpty(notifications)], {
      discard: true
    }).pipe(Effect.timeoutOption(lastAnswers))
    yield* session.end
  })

  yield* Effect.raceFirst(Effect.andThen(relayInput, finish), Deferred.await(broken))
})

/** Writes whole lines, one after the other. The first failure ends the relay. */
const makeWriter = Effect.fnUntraced(function* (
  output: Writable,
  broken: Deferred.Deferred<never, RelayError>
): Effect.fn.Return<(text: string) => Effect.Effect<void>, never, Scope.Scope> {
  const onError = (cause: unknown) =>
    Deferred.doneUnsafe(broken, Effect.fail(new RelayError({ stream: "output", problem: problemOf(cause) })))
  yield* Effect.acquireRelease(
    Effect.sync(() => output.on("error", onError)),
    () => Effect.sync(() => output.off("error", onError))
  )
  return (text) =>
    Effect.callback<void>((resume) => {
      output.write(`${text}\n`, () => resume(Effect.void))
    })
})

const problemOf = (cause: unknown): string => (cause instanceof Error ? cause.message : "unknown")

/** The server's own error, if it gave one, with the id of the request. */
const failureResponse = (id: IdText, failure: UpstreamFailed): string => {
  const error = parseJsonRpc(failure.body ?? "")?.messages.find(
    ({ json }) => isResponse(json) && "error" in json
  )
  return error === undefined
    ? errorResponse(id, errorCodes.internalError, failure.problem)
    : idTextAt(error) === undefined && !("id" in error.json)
      ? errorResponse(id, errorCodes.internalError, failure.problem)
      : replaceAt(error.text, ["id"], id)
}
