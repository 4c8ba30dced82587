import type { ServerResponse } from "node:http"
import { CorrelationId, type AccessTokenRequest, type OAuthError } from "@secure-mcp/oauth-core"
import * as Cause from "effect/Cause"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import type { CallbackListenerError } from "../login/CallbackListener.ts"
import type { TooManyLogins } from "../login/LoginLinks.ts"
import { BegunExchanges } from "./BegunExchanges.ts"
import { CurrentCaller } from "./AccessMiddleware.ts"
import { originHeaders } from "./CrossOrigin.ts"
import { type GatewayFailure, writeFailure } from "./GatewayFailure.ts"
import { makeLoginAnswers, withoutLoginAnswer } from "./LoginAnswer.ts"
import { alreadyWritten, nodeExchange } from "./NodeExchange.ts"
import { describeOAuthError } from "../upstream/OAuthAdvice.ts"
import { type McpServer, McpServers } from "./McpServers.ts"
import { RequestRefusals } from "./RequestRefusals.ts"
import { RequestBodies } from "../upstream/RequestBody.ts"
import type { Exchange, Rest, UpstreamFailure } from "../upstream/Upstream.ts"

/**
 * `/servers/:server_name/mcp`: forwards MCP Streamable HTTP to the server of that name, and goes on with what
 * `DirectAnswers` has begun.
 */
export const McpRoute = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const servers = yield* McpServers
    const bodies = yield* RequestBodies
    const begunExchanges = yield* BegunExchanges
    const refuse = yield* RequestRefusals
    const { askForLogin, awaitLogin } = yield* makeLoginAnswers

    const fail = (
      response: ServerResponse,
      body: Uint8Array,
      failure: Omit<GatewayFailure, "correlationId">
    ) =>
      Effect.flatMap(CorrelationId, (correlationId = "") =>
        answer(response, body, { ...failure, correlationId })
      )

    /** Asks a person who has to log in to do so, and waits for one who says they are doing it. */
    const serve = Effect.fnUntraced(function* (
      { limits, upstream }: McpServer,
      received: Exchange,
      rest: Rest | undefined
    ) {
      const { accepted, exchange } = yield* withoutLoginAnswer(received)
      const request = upstream.tokenRequest(exchange.caller)
      const handled = rest ?? upstream.handle(exchange)
      if (request === undefined) return yield* handled
      // A login on another device begins with the command: no client shows a person its code.
      const ask = (error: OAuthError) =>
        request.config.grantType === "authorization_code"
          ? askForLogin(exchange, request, error, failedAuthorization(error, request))
          : Effect.fail(error)
      const afterLogin = limits
        .admitToLogin(awaitLogin(request))
        .pipe(Effect.andThen(upstream.handle(exchange)), Effect.catchIf(needsLogin, ask))
      return yield* Effect.catchIf(handled, needsLogin, (error) => (accepted ? afterLogin : ask(error)))
    })

    const pass = (serverName: string, exchange: Exchange, rest: Rest | undefined) => {
      const { body, response } = exchange
      const server = servers.get(serverName)
      if (server === undefined) return fail(response, body.head, unknownServer(serverName))
      const { limits, upstream } = server
      return limits.admit(exchange, serve(server, exchange, rest)).pipe(
        Effect.catchTags({
          OAuthError: (error) =>
            answer(response, body.head, failedAuthorization(error, upstream.tokenRequest(exchange.caller))),
          CallbackListenerError: (error) => fail(response, body.head, failedLogin(serverName, error)),
          TooManyLogins: (error) => fail(response, body.head, unanswered(error)),
          UpstreamFailure: (error) => fail(response, body.head, unanswered(error))
        }),
        Effect.catchDefect((defect) =>
          Effect.logError("A request failed by a bug", Cause.die(defect)).pipe(
            Effect.andThen(fail(response, body.head, failedByBug(serverName)))
          )
        )
      )
    }

    yield* router.add(
      "*",
      "/servers/:server_name/mcp",
      Effect.gen(function* () {
        const { server_name: serverName = "" } = yield* HttpRouter.params
        const { request, response } = yield* nodeExchange(yield* HttpServerRequest.HttpServerRequest)
        const refusal = refuse(request, serverName)
        if (refusal !== undefined) yield* fail(response, noBody, refusal)
        else {
          const begun = begunExchanges.of(request)
          const body = begun?.body ?? (yield* bodies.read(request, response))
          const caller = yield* CurrentCaller
          const exchange = { request, response, body, caller, ownHeaders: originHeaders(request) }
          yield* pass(serverName, exchange, begun?.rest)
        }
        return alreadyWritten
      }).pipe(Effect.scoped)
    )
  })
).pipe(Layer.provide(SecureRandom.layerWebCrypto))

const answer = (response: ServerResponse, body: Uint8Array, failure: GatewayFailure) =>
  Effect.logWarning(failure.message).pipe(
    Effect.annotateLogs({ server_name: failure.serverName, correlation_id: failure.correlationId }),
    Effect.andThen(writeFailure(response, failure, body))
  )

const noBody = Buffer.alloc(0)

const unknownServer = (serverName: string) => ({
  status: 404,
  reason: "UnknownServer",
  message: `No server of this name is configured. Check \`server_name\` and the path /servers/<server_name>/mcp`,
  serverName
})

/** Never 401: the client would try to authenticate at the gateway, which is not what failed. */
export const failedAuthorization = (
  error: OAuthError,
  request: AccessTokenRequest | undefined
): GatewayFailure => ({
  status: error.reason._tag === "CircuitOpen" ? 503 : 502,
  reason: error.reason._tag,
  message: describeOAuthError(error, request),
  serverName: error.serverName,
  correlationId: error.correlationId,
  headers: retryAfter(error.reason)
})

const retryAfter = (reason: OAuthError["reason"] | UpstreamFailure | TooManyLogins) =>
  "retryAfterSeconds" in reason && reason.retryAfterSeconds !== undefined
    ? { "retry-after": String(Math.ceil(reason.retryAfterSeconds)) }
    : undefined

const needsLogin = (error: OAuthError | UpstreamFailure): error is OAuthError =>
  error._tag === "OAuthError" && error.reason._tag === "AuthorizationRequired"

const failedLogin = (serverName: string, { message }: CallbackListenerError) => ({
  status: 502,
  reason: "AuthorizationRequired",
  message,
  serverName
})

/** There is no answer of the server. */
export const unanswered = (failure: UpstreamFailure | TooManyLogins) => ({
  status: failure.status,
  reason: failure.reason,
  message: failure.message,
  serverName: failure.serverName,
  headers: retryAfter(failure)
})

/** Only the log has the details. */
const failedByBug = (serverName: string) => ({
  status: 500,
  reason: "InternalError",
  message: "The gateway failed by a bug. Its log says more",
  serverName
})
