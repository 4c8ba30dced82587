import type { IncomingMessage, ServerResponse } from "node:http"
import type { AccessTokenRequest, OAuthError } from "@secure-mcp/oauth-core"
import { makeConsentRequests } from "@secure-mcp/oauth-flows/internal"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { CurrentResources, metadataRoute } from "../callers/PublicResources.ts"
import type { CallbackListenerError } from "../login/CallbackListener.ts"
import { BegunExchanges } from "./BegunExchanges.ts"
import { CurrentCaller } from "./AccessMiddleware.ts"
import { originHeaders } from "./CrossOrigin.ts"
import {
  answerBug,
  answerFailure,
  failedAuthorization,
  type GatewayFailure,
  unanswered
} from "./GatewayFailure.ts"
import { makeLoginAnswers, withoutLoginAnswer } from "./LoginAnswer.ts"
import { alreadyWritten, nodeExchange } from "./NodeExchange.ts"
import { type McpServer, McpServers } from "./McpServers.ts"
import { RequestRefusals } from "./RequestRefusals.ts"
import { PersonActivity } from "../status/PersonActivity.ts"
import { RequestBodies } from "../upstream/RequestBody.ts"
import type { Exchange, Rest, UpstreamFailure } from "../upstream/Upstream.ts"

/**
 * `/servers/:server_name/mcp`: forwards MCP Streamable HTTP to the server of that name, and goes on with what
 * `DirectAnswers` has begun. With `callers`, also the metadata of each server (RFC 9728).
 */
export const McpRoute = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const servers = yield* McpServers
    const bodies = yield* RequestBodies
    const begunExchanges = yield* BegunExchanges
    const refuse = yield* RequestRefusals
    const resources = yield* CurrentResources
    const activity = yield* PersonActivity
    const { askForLogin, awaitLogin } = yield* makeLoginAnswers
    const consentRequestOf = makeConsentRequests()

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
      const ask = (error: OAuthError) => {
        const failure = failedAuthorization(error, request)
        if (needsConsent(error)) return askForConsent(exchange, request, error, failure)
        return request.config.grantType === "authorization_code"
          ? askForLogin(exchange, request, error, failure)
          : Effect.fail(error)
      }
      const afterLogin = limits
        .admitToLogin(awaitLogin(request))
        .pipe(Effect.andThen(upstream.handle(exchange)), Effect.catchIf(needsLogin, ask))
      return yield* Effect.catchIf(handled, needsLogin, (error) => (accepted ? afterLogin : ask(error)))
    })

    /** Where people consent who have not, so that the gateway may act for them. Without such a place the refusal stays as it is. */
    const askForConsent = (
      exchange: Exchange,
      request: AccessTokenRequest,
      error: OAuthError,
      failure: GatewayFailure
    ) => {
      const consent = consentRequestOf(request)
      return consent === undefined
        ? Effect.fail(error)
        : Effect.catchTag(askForLogin(exchange, consent, error, failure), "OAuthError", ({ message }) =>
            Effect.andThen(
              Effect.logWarning(`A person cannot be asked to consent: ${message}`),
              Effect.fail(error)
            )
          )
    }

    const pass = (serverName: string, exchange: Exchange, rest: Rest | undefined) => {
      const { body, response } = exchange
      const server = servers.get(serverName)
      if (server === undefined) return answerFailure(response, body.head, unknownServer(serverName))
      const { limits, upstream } = server
      // `DirectAnswers` has counted what it has begun.
      if (rest === undefined) activity.use(serverName, exchange.caller)
      return limits.admit(exchange, serve(server, exchange, rest)).pipe(
        Effect.catchTags({
          OAuthError: (error) =>
            answerFailure(
              response,
              body.head,
              failedAuthorization(
                error,
                upstream.tokenRequest(exchange.caller),
                resources?.metadataUrlOf(`/servers/${serverName}/mcp`)
              )
            ),
          CallbackListenerError: (error) =>
            answerFailure(response, body.head, failedLogin(serverName, error)),
          TooManyLogins: (error) => answerFailure(response, body.head, unanswered(error)),
          UpstreamFailure: (error) => answerFailure(response, body.head, unanswered(error))
        }),
        Effect.catchDefect((defect) => answerBug(response, body.head, serverName, defect))
      )
    }

    const beginExchange = Effect.fnUntraced(function* (request: IncomingMessage, response: ServerResponse) {
      const body = yield* bodies.read(request, response)
      return { request, response, body, caller: yield* CurrentCaller, ownHeaders: originHeaders(request) }
    })

    if (resources !== undefined) {
      const answer = Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) => {
        const path = url.split("?", 1)[0] ?? ""
        const document = resources.documentAt(path, (serverName) => servers.has(serverName))
        return document === undefined
          ? HttpServerResponse.empty({ status: 404 })
          : HttpServerResponse.jsonUnsafe(document)
      })
      yield* router.add("GET", metadataRoute, answer)
    }

    yield* router.add(
      "*",
      "/servers/:server_name/mcp",
      Effect.gen(function* () {
        const { server_name: serverName = "" } = yield* HttpRouter.params
        const { request, response } = yield* nodeExchange(yield* HttpServerRequest.HttpServerRequest)
        const refusal = refuse(request, serverName)
        if (refusal !== undefined) yield* answerFailure(response, noBody, refusal)
        else {
          const { exchange, rest } = begunExchanges.of(request) ?? {
            exchange: yield* beginExchange(request, response),
            rest: undefined
          }
          yield* pass(serverName, exchange, rest)
        }
        return alreadyWritten
      }).pipe(Effect.scoped)
    )
  })
).pipe(Layer.provide(SecureRandom.layerWebCrypto))

const noBody = Buffer.alloc(0)

const unknownServer = (serverName: string) => ({
  status: 404,
  reason: "UnknownServer",
  message: `No server of this name is configured. Check \`server_name\` and the path /servers/<server_name>/mcp`,
  serverName
})

const needsLogin = (error: OAuthError | UpstreamFailure): error is OAuthError =>
  error._tag === "OAuthError" && (error.reason._tag === "AuthorizationRequired" || needsConsent(error))

/** Claims are for the login at the gateway itself, of which the client is told. */
const needsConsent = ({ reason }: OAuthError): boolean =>
  reason._tag === "RequestRefused" && reason.needsConsent === true && reason.claims === undefined

const failedLogin = (serverName: string, { message }: CallbackListenerError) => ({
  status: 502,
  reason: "AuthorizationRequired",
  message,
  serverName
})
