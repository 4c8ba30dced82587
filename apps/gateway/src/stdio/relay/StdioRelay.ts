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
  idKey,
  isMessage,
  isRequest,
  isResponse,
  paramsOf,
  parseJsonRpc,
  type JsonRpcMessage,
  type JsonRpcRequest
} from "../../jsonrpc/JsonRpc.ts"
import { boundedLines, type Line } from "../Lines.ts"
import { declaredVersion } from "../../jsonrpc/MirroredHeaders.ts"
import { makeStreamableHttpClient } from "./UpstreamSession.ts"
import type { Fetch, UpstreamFailed } from "./UpstreamResponse.ts"

/** The client's end of the pipe failed: there is nobody left to relay for. */
export class RelayError extends Schema.TaggedError<RelayError>()("RelayError", {
  stream: Schema.Literals(["input", "output"]),
  problem: Schema.String
}) {
  override get message(): string {
    return `The ${this.stream} of the relay failed: ${this.problem}`
  }
}

const maxMessageLength = 64 * 1024 * 1024

/** How long answers are waited for once the client has closed its end. */
const lastAnswers = "60 seconds"

/**
 * Offers a Streamable HTTP server on a pair of streams, message by message, in any revision. Completes when the
 * input has ended and the requests under way are answered. A request that fails is answered with a JSON-RPC error,
 * and the relay goes on. Nothing but messages is written to the output.
 *
 * @param options.fetch sends the requests, with a token if the server wants one
 */
export const relay = Effect.fnUntraced(function* (options: {
  readonly input: Readable
  readonly output: Writable
  readonly url: URL
  readonly fetch: Fetch
}): Effect.fn.Return<void, RelayError, Scope.Scope> {
  const broken = yield* Deferred.make<never, RelayError>()
  const write = yield* makeWriter(options.output, broken)
  const client = makeStreamableHttpClient({ ...options, deliver: ({ text }) => write(text) })
  const requests = yield* FiberMap.make<string, void, never>()
  const others = yield* FiberSet.make<void, never>()
  const listeners = yield* FiberSet.make<void, never>()
  const stateless = new Set<string>()
  const subscriptions = new Set<string>()

  const answer = (request: JsonRpcRequest, message: JsonRpcMessage) =>
    client.post(message).pipe(Effect.catch((failure) => write(failureResponse(request, failure))))

  const startRequest = (request: JsonRpcRequest, message: JsonRpcMessage) => {
    const key = idKey(request.id)
    if (FiberMap.hasUnsafe(requests, key))
      return write(
        errorResponse(request.id, errorCodes.invalidRequest, "A request with this id is under way")
      )
    const kinds = [
      ...(declaredVersion(request) === undefined ? [] : [stateless]),
      ...(request.method === "subscriptions/listen" ? [subscriptions] : [])
    ]
    for (const kind of kinds) kind.add(key)
    const forgotten = Effect.sync(() => kinds.forEach((kind) => kind.delete(key)))
    return Effect.asVoid(FiberMap.run(requests, key, Effect.ensuring(answer(request, message), forgotten)))
  }

  const passOn = (message: JsonRpcMessage) =>
    client
      .post(message)
      .pipe(
        Effect.catch((failure) =>
          Effect.logWarning("The MCP server did not take a message that wants no answer:", failure.message)
        )
      )

  const relayMessage = (message: JsonRpcMessage): Effect.Effect<void> => {
    const { json } = message
    if (!isMessage(json))
      return write(errorResponse(null, errorCodes.invalidRequest, "This is no JSON-RPC message"))
    if (isRequest(json)) return startRequest(json, message)
    if (json["method"] === "notifications/cancelled") {
      const key = idKey(paramsOf(json)["requestId"])
      // There, closing the connection is what cancels.
      if (stateless.has(key)) return FiberMap.remove(requests, key)
    }
    if (json["method"] === "notifications/initialized")
      // Nothing may overtake it.
      return passOn(message).pipe(Effect.andThen(FiberSet.run(listeners, client.listen)), Effect.asVoid)
    return Effect.asVoid(FiberSet.run(others, passOn(message)))
  }
  const relayLine = (line: Line): Effect.Effect<void> => {
    if (line === "") return Effect.void
    const parsed = line === undefined ? undefined : parseJsonRpc(line)
    if (parsed === undefined)
      return write(errorResponse(null, errorCodes.parseError, "This is no JSON-RPC message"))
    return Effect.forEach(parsed.messages, relayMessage, { discard: true })
  }

  const relayInput = NodeStream.fromReadable({
    evaluate: () => options.input,
    onError: (cause) => new RelayError({ stream: "input", problem: problemOf(cause) })
  }).pipe(boundedLines(maxMessageLength), Stream.runForEach(relayLine))

  const finish = Effect.gen(function* () {
    yield* Effect.forEach([...subscriptions], (key) => FiberMap.remove(requests, key), { discard: true })
    yield* Effect.all([FiberMap.awaitEmpty(requests), FiberSet.awaitEmpty(others)], { discard: true }).pipe(
      Effect.timeoutOption(lastAnswers)
    )
    yield* client.endSession
  })

  yield* Effect.raceFirst(Effect.andThen(relayInput, finish), Deferred.await(broken))
})

/** Writes whole lines, each after the one before. The first failure breaks the relay. */
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

/** The server's own error if it gave one, for the id that the client knows. */
const failureResponse = (request: JsonRpcRequest, failure: UpstreamFailed): string => {
  const error = parseJsonRpc(failure.body ?? "")?.messages.find(
    ({ json }) => isResponse(json) && "error" in json
  )
  return error === undefined
    ? errorResponse(request.id, errorCodes.internalError, failure.problem)
    : JSON.stringify({ ...error.json, id: request.id })
}
