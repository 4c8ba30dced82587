import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import { mediaType, readText, whenOk } from "../../fetch/AnswerBody.ts"
import type { FetchRequest, FetchResponse, UpstreamFailed } from "../../fetch/Fetch.ts"
import {
  type IdText,
  idTextAt,
  isJsonObject,
  isResponse,
  parseOnlyMessage,
  readOnlyMessage,
  requestIdOf,
  withIdAt,
  type JsonObject,
  type JsonRpcMessage
} from "../../jsonrpc/JsonRpc.ts"
import { matchingId } from "../../jsonrpc/MatchingIds.ts"
import { failureOf, readMessages, resumeAnswer, type StreamSource } from "./EventStream.ts"
import type { Deliver } from "./ServerSession.ts"
import { streamStart } from "./StreamPosition.ts"

/** How long a stream may go on after its answer. The server ought to end it. */
const afterAnswer = "2 seconds"

/**
 * One exchange over Streamable HTTP: the POST and, if the stream of the answer does not last, the GETs that resume it.
 * Completes when the message is accepted and, if it is a request, answered. Interrupting it closes the connection.
 *
 * @param headers of the POST; those of a resumption are the source's own
 * @param onResult is run before a result is delivered
 */
export const exchange = (
  source: StreamSource,
  outgoing: JsonRpcMessage,
  headers: Record<string, string>,
  onResult?: OnResult
): Effect.Effect<void, UpstreamFailed> =>
  readExchange(source, outgoing, source.fetch(postOf(outgoing, headers)), onResult)

/** What is done with a result, and the response that it came in, before it is delivered. */
export type OnResult = (result: JsonObject, response: FetchResponse) => void

/** The POST of a message. */
export const postOf = (outgoing: JsonRpcMessage, headers: Record<string, string>): FetchRequest => ({
  method: "POST",
  headers: { ...contentHeaders, ...headers },
  body: outgoing.text
})

/** The rest of an exchange, after the POST. */
export const readExchange = (
  source: StreamSource,
  outgoing: JsonRpcMessage,
  posted: Effect.Effect<FetchResponse, UpstreamFailed, Scope.Scope>,
  onResult: OnResult = () => {}
): Effect.Effect<void, UpstreamFailed> =>
  Effect.scoped(
    Effect.gen(function* () {
      const response = yield* whenOk(posted)
      const id = requestIdOf(outgoing)
      if (id === undefined) return yield* readAcceptance(source, response)

      const answered = yield* Deferred.make<void>()
      const deliver: Deliver = (message) => {
        const answeredId = isResponse(message.json) ? idTextAt(message) : undefined
        if (answeredId === undefined || matchingId([id], answeredId) === undefined)
          return source.deliver(message)
        const { result } = message.json
        const text = withIdAt(message, id)
        return Effect.gen(function* () {
          if (isJsonObject(result)) onResult(result, response)
          yield* source.deliver(text === message.text ? message : ((yield* readOnlyMessage(text)) ?? message))
          yield* Deferred.succeed(answered, undefined)
        })
      }
      const answers = { ...source, deliver, headers: { ...source.headers, ...sessionOf(response) } }
      const position = yield* Ref.make(streamStart)
      yield* Effect.raceFirst(
        Effect.flatMap(failureOf(readMessages(answers, response, position)), (broken) =>
          resumeAnswer(answers, position, broken, Deferred.isDone(answered))
        ),
        Effect.andThen(Deferred.await(answered), Effect.sleep(afterAnswer))
      )
    })
  )

/** The message that a whole answer to a request consists of, if nothing has to be done to it and nothing else comes with it. */
export const onlyAnswer = (text: string, id: IdText): JsonRpcMessage | undefined => {
  const message = parseOnlyMessage(text)
  return message !== undefined && isResponse(message.json) && idTextAt(message) === id ? message : undefined
}

/** The body of an acceptance is of no use; a connection whose body was not read is not used again. */
const readAcceptance = ({ messageBytes }: StreamSource, response: FetchResponse) =>
  mediaType(response) === "text/event-stream"
    ? Effect.void
    : readText(response, messageBytes).pipe(Effect.ignore, Effect.timeoutOption(afterAnswer), Effect.asVoid)

/** The session that a response to `initialize` begins: the rest of its answer is to be had there. */
const sessionOf = ({ headers }: FetchResponse): Record<string, string> => {
  const id = headers.get("mcp-session-id")
  return id === null ? {} : { "mcp-session-id": id }
}

const contentHeaders = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream"
}
