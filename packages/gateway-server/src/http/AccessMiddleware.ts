import { withCorrelationId } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Result from "effect/Result"
import type { CallerExpiry } from "../callers/CallerExpiry.ts"
import type { Caller } from "../upstream/Upstream.ts"
import type { Access, Refusal } from "./Access.ts"
import { allowOrigin, isPreflight, preflightHeaders } from "./CrossOrigin.ts"
import { alreadyWritten, nodeExchange } from "./NodeExchange.ts"

/** The caller of the current request, for routes: the one that `Access` has identified. */
export const CurrentCaller = Context.Reference<Caller>("@secure-mcp/gateway/CurrentCaller", {
  defaultValue: () => ({ subject: undefined })
})

/**
 * Refuses, on every path, requests that `Access` does not admit, and provides the caller of all others. Each request has
 * a correlation id of its own. The body of a refused request is not read. Answers preflights, and lets pages of allowed origins read every answer.
 */
export const accessMiddleware = (
  { checkSite, identify }: Access["Service"],
  expiry: CallerExpiry["Service"]
) =>
  HttpRouter.middleware(
    (app) =>
      Effect.gen(function* () {
        const { request, response } = yield* nodeExchange(yield* HttpServerRequest.HttpServerRequest)
        const foreign = checkSite(request)
        if (foreign !== undefined) return yield* refuse(foreign)
        allowOrigin(request, response)
        if (isPreflight(request)) {
          response.writeHead(204, preflightHeaders(request)).end()
          return alreadyWritten
        }
        const identified = identify(request)
        const caller = Result.isResult(identified) ? identified : yield* Effect.result(identified)
        if (Result.isFailure(caller)) return yield* refuse(caller.failure)
        expiry.watch(caller.success, response)
        // `OPTIONS *` is about the server as a whole (RFC 9110 §9.3.7), so it has no route.
        return request.url === "*"
          ? HttpServerResponse.empty({ headers: { allow: "GET, POST, DELETE, OPTIONS" } })
          : yield* Effect.provideService(app, CurrentCaller, caller.success)
      }).pipe(withCorrelationId),
    { global: true }
  )

const refuse = ({ headers, isUsual, message, status }: Refusal) =>
  (isUsual === true
    ? Effect.logInfo(`A client without a token is told where to log in: ${message}`)
    : Effect.logWarning(`Request refused: ${message}`)
  ).pipe(
    Effect.as(
      HttpServerResponse.text(`${message}\n`, {
        status,
        headers: { ...headersOf[status], ...headers }
      })
    )
  )

/** Where a request for two hosts ends, an intermediary may see another end than we do: nothing more of it is read. */
const headersOf = {
  400: { connection: "close" },
  401: { "www-authenticate": 'Bearer realm="secure-mcp-gateway"' },
  403: {},
  503: {}
} as const
