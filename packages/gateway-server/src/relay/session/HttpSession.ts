import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as MutableRef from "effect/MutableRef"
import type * as Scope from "effect/Scope"
import { fetchOk, isLonger } from "../../fetch/AnswerBody.ts"
import { type Fetch, UpstreamFailed } from "../../fetch/Fetch.ts"
import { afterRequest, emptySetup, requestsToRepeat } from "../../jsonrpc/ClientSetup.ts"
import {
  errorCodeOf,
  errorCodes,
  isJsonObject,
  isResponse,
  makeNotification,
  makeRequest,
  parseJsonRpc,
  type JsonObject,
  type JsonRpcMessage
} from "../../jsonrpc/JsonRpc.ts"
import { declaredVersion, mirroredHeaders } from "../../jsonrpc/MirroredHeaders.ts"
import { type Agreement, makeAgreement, makeNoAgreement, sessionHeaders } from "./Agreement.ts"
import type { StreamSource } from "./EventStream.ts"
import { exchange, onlyAnswer, type OnResult, postOf, readExchange } from "./Exchange.ts"
import { listenForMessages } from "./Listener.ts"
import { type Deliver, maxSubscriptions, refusalOf, type ServerSession } from "./ServerSession.ts"
import { judgeRefusal } from "./SessionLoss.ts"
import { lookUpTools, makeToolHeaders } from "./ToolHeaders.ts"

/** How long the server has to begin another session, to answer a `ping`, and to end the session. */
const restartTimeout = "30 seconds"
const pingTimeout = "10 seconds"
const endTimeout = "750 millis"

/** How long the acceptance of `notifications/initialized` may hold up what follows it. */
const patience = "2 seconds"

/**
 * Makes a session over Streamable HTTP with the server that `fetch` reaches, for messages of any revision.
 *
 * A client that speaks stdio knows no sessions. So if the server forgets the session, another one is begun with the
 * client's own `initialize` (MCP 2025-11-25, "Session Management"), and the message that was refused is sent again.
 *
 * @param options.messageBytes the longest message of the server
 */
export const makeHttpSession = Effect.fnUntraced(function* (options: {
  readonly fetch: Fetch
  readonly deliver: Deliver
  readonly messageBytes: number
}): Effect.fn.Return<ServerSession, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const toolHeaders = makeToolHeaders()
  const agreement = MutableRef.make(makeNoAgreement())
  const setup = MutableRef.make(emptySetup)
  /** The session that is being begun in place of a lost one. */
  const restarting = MutableRef.make<Deferred.Deferred<void, UpstreamFailed> | undefined>(undefined)

  const sourceIn = (agreed: Agreement, deliver: Deliver): StreamSource => ({
    fetch: options.fetch,
    messageBytes: options.messageBytes,
    headers: sessionHeaders(agreed),
    deliver
  })

  const replaceAgreement = (next: Agreement): void => {
    const { replaced } = MutableRef.get(agreement)
    MutableRef.set(agreement, next)
    Deferred.doneUnsafe(replaced, Effect.void)
  }

  const learnFrom =
    (message: JsonRpcMessage): OnResult =>
    (result, response) => {
      const { method } = message.json
      if (method === "initialize") replaceAgreement(makeAgreement(message, result, response))
      else if (method === "tools/list") toolHeaders.learn(result)
      else MutableRef.update(setup, (known) => afterRequest(known, message, maxSubscriptions))
    }

  const send = (message: JsonRpcMessage, agreed: Agreement) =>
    exchange(sourceIn(agreed, options.deliver), message, headersFor(message.json, agreed), learnFrom(message))

  const headersFor = (json: JsonObject, agreed: Agreement): Record<string, string> => {
    if (declaredVersion(json) !== undefined)
      return { ...mirroredHeaders(json), ...toolHeaders.headersFor(json) }
    return json["method"] === "initialize" ? {} : sessionHeaders(agreed)
  }

  /** The result of a request of the relay's own, with the response that it came in. */
  const ask = Effect.fnUntraced(function* (request: JsonRpcMessage, agreed: Agreement) {
    const answered = yield* Deferred.make<Agreement & { readonly result: JsonObject }, UpstreamFailed>()
    const deliver: Deliver = (message) =>
      isResponse(message.json)
        ? Effect.asVoid(Deferred.fail(answered, refusalOf(message.json)))
        : options.deliver(message)
    yield* exchange(
      sourceIn(agreed, deliver),
      request,
      headersFor(request.json, agreed),
      (result, response) =>
        Deferred.doneUnsafe(answered, Effect.succeed({ ...makeAgreement(request, result, response), result }))
    )
    return yield* Deferred.await(answered)
  })

  /** Begins another session in place of a lost one. Whoever finds it lost meanwhile waits for the same one. */
  const restart = Effect.fnUntraced(function* (lost: Agreement) {
    const { initialize, replaced } = MutableRef.get(agreement)
    if (replaced !== lost.replaced || initialize === undefined) return
    const known = MutableRef.get(restarting)
    if (known !== undefined) return yield* Deferred.await(known)
    const begun = Deferred.makeUnsafe<void, UpstreamFailed>()
    MutableRef.set(restarting, begun)
    yield* beginAgain(initialize, lost).pipe(
      Effect.ensuring(Effect.sync(() => MutableRef.set(restarting, undefined))),
      Deferred.into(begun),
      Effect.forkIn(scope)
    )
    yield* Deferred.await(begun)
  })

  const beginAgain = (initialize: JsonRpcMessage, lost: Agreement) =>
    Effect.gen(function* () {
      yield* Effect.logWarning("The MCP server has forgotten the session; beginning another one")
      const next = yield* ask(initialize, lost)
      if (next.protocolVersion !== lost.protocolVersion)
        yield* Effect.logWarning(
          `The MCP server now speaks revision ${next.protocolVersion}, and before ${lost.protocolVersion}, which the client goes by`
        )
      yield* tell(makeNotification("notifications/initialized"), next).pipe(Effect.timeoutOption(patience))
      replaceAgreement(next)
      const requests = requestsToRepeat(MutableRef.get(setup))
      yield* Effect.forkIn(
        Effect.forEach(requests, (request) => tell(request, next), { discard: true }),
        scope
      )
    }).pipe(
      Effect.timeoutOrElse({
        duration: restartTimeout,
        orElse: () => Effect.fail(new UpstreamFailed({ kind: "Broken", problem: "there was no answer" }))
      }),
      Effect.mapError(
        ({ problem }) =>
          new UpstreamFailed({
            kind: "NoSession",
            problem: `MCP server has forgotten the session, and another one could not be begun: ${problem}`
          })
      )
    )

  /** Sends a message of which nobody needs the answer. */
  const tell = (message: JsonRpcMessage, agreed: Agreement): Effect.Effect<void> =>
    exchange(
      sourceIn(agreed, () => Effect.void),
      message,
      headersFor(message.json, agreed)
    ).pipe(
      Effect.catch((failure) =>
        Effect.logWarning(`The MCP server refused ${String(message.json["method"])}:`, failure.message)
      )
    )

  const isLost = (failure: UpstreamFailed, agreed: Agreement): Effect.Effect<boolean> => {
    const judgement = judge(failure, agreed)
    return judgement === "Doubtful" ? isUnknown(agreed) : Effect.succeed(judgement === "Lost")
  }

  const judge = (failure: UpstreamFailed, { initialize, sessionId }: Agreement) =>
    initialize === undefined ? "Other" : judgeRefusal(failure, sessionId !== undefined)

  /** Whether the server does not answer a `ping` in the session because it has forgotten it. */
  const isUnknown = (agreed: Agreement): Effect.Effect<boolean> =>
    ask(makeRequest("ping-of-the-relay", "ping"), agreed).pipe(
      Effect.as(false),
      Effect.catch((refusal) => Effect.succeed(judge(refusal, agreed) !== "Other")),
      Effect.timeoutOption(pingTimeout),
      Effect.map((answer) => answer._tag === "Some" && answer.value)
    )

  /** A refused stream is less sure a sign than a refused message: the server may have streams no more. */
  const recover = (refusal: UpstreamFailed, agreed: Agreement): Effect.Effect<void> =>
    judge(refusal, agreed) === "Other"
      ? Effect.void
      : Effect.flatMap(isUnknown(agreed), (unknown) =>
          unknown ? Effect.ignore(restart(agreed)) : Effect.void
        )

  const post = Effect.fnUntraced(function* (message: JsonRpcMessage) {
    const begun = MutableRef.get(restarting)
    if (begun !== undefined) yield* Effect.ignore(Deferred.await(begun))
    const agreed = MutableRef.get(agreement)
    yield* Effect.catch(send(message, agreed), (failure) => sendAgain(message, agreed, failure))
  })

  /** Sends a message again that the server refused for what can be mended. */
  const sendAgain = Effect.fnUntraced(function* (
    message: JsonRpcMessage,
    agreed: Agreement,
    failure: UpstreamFailed
  ): Effect.fn.Return<void, UpstreamFailed> {
    const { json } = message
    if (json["method"] === "tools/call" && isHeaderMismatch(failure)) {
      yield* lookUpTools(json, (request) =>
        Effect.map(ask(request, agreed), ({ result }) => {
          toolHeaders.learn(result)
          return result
        })
      ).pipe(Effect.mapError(() => failure))
      return yield* send(message, agreed)
    }
    const isInSession = declaredVersion(json) === undefined && json["method"] !== "initialize"
    if (!isInSession || !(yield* isLost(failure, agreed))) return yield* failure
    yield* restart(agreed)
    if (!endsWithSession(json)) yield* send(message, MutableRef.get(agreement))
  })

  const postNow: ServerSession["postNow"] = (request, id, onEnd) => {
    const { now } = options.fetch
    // Whoever begins a session is not in a hurry, and may have to be answered over another transport.
    if (now === undefined || request.json["method"] === "initialize") return undefined
    if (MutableRef.get(restarting) !== undefined) return undefined
    const agreed = MutableRef.get(agreement)
    const learn = learnFrom(request)
    const readOn = (posted: ReturnType<Fetch>) =>
      readExchange(sourceIn(agreed, options.deliver), request, posted, learn).pipe(
        Effect.catch((failure) => sendAgain(request, agreed, failure))
      )
    return now(postOf(request, headersFor(request.json, agreed)), (answer) => {
      if (Effect.isEffect(answer)) return onEnd(readOn(answer))
      const message = isLonger(answer.text, options.messageBytes) ? undefined : onlyAnswer(answer.text, id)
      if (message === undefined) return onEnd(readOn(Effect.succeed(answer.response)))
      const { result } = message.json
      if (isJsonObject(result)) learn(result, answer.response)
      return onEnd(message)
    })
  }

  const listen = listenForMessages(
    Effect.sync(() => {
      const agreed = MutableRef.get(agreement)
      return {
        source: sourceIn(agreed, options.deliver),
        replaced: Deferred.await(agreed.replaced),
        recover: (refusal) => recover(refusal, agreed)
      }
    })
  )

  const end = Effect.suspend(() => {
    const agreed = MutableRef.get(agreement)
    return agreed.sessionId === undefined
      ? Effect.void
      : Effect.scoped(fetchOk(options.fetch, { method: "DELETE", headers: sessionHeaders(agreed) })).pipe(
          Effect.interruptible,
          Effect.ignore,
          Effect.timeoutOption(endTimeout),
          Effect.asVoid
        )
  })

  return { post, postNow, listen, end }
})

/** Answers to the server's requests and cancellations mean something in their own session only. */
const endsWithSession = (json: JsonObject): boolean =>
  isResponse(json) ||
  json["method"] === "notifications/cancelled" ||
  json["method"] === "notifications/progress"

const isHeaderMismatch = ({ body }: UpstreamFailed): boolean =>
  parseJsonRpc(body ?? "")?.messages.some(({ json }) => errorCodeOf(json) === errorCodes.headerMismatch) ===
  true
