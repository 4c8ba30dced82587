import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Result from "effect/Result"
import type { GatewaySettings } from "../config/GatewaySettings.ts"
import type { Caller } from "../upstream/Upstream.ts"
import { makeAccess } from "./Access.ts"
import { nodeExchange } from "./NodeExchange.ts"

/** The caller of the current request. */
export const CurrentCaller = Context.Reference<Caller>("@secure-mcp/gateway/CurrentCaller", {
  defaultValue: () => ({ subject: undefined })
})

/**
 * Refuses, on every path, requests that `makeAccess` does not admit, and provides the caller of all others. The body of a
 * refused request is not read.
 */
export const accessMiddleware = (settings: GatewaySettings) => {
  const admit = makeAccess(settings)
  return HttpRouter.middleware(
    (app) =>
      Effect.gen(function* () {
        const { request } = yield* nodeExchange(yield* HttpServerRequest.HttpServerRequest)
        const admission = admit(request)
        if (Result.isSuccess(admission)) {
          return yield* Effect.provideService(app, CurrentCaller, admission.success)
        }
        const refusal = admission.failure
        yield* Effect.logWarning(`Request refused: ${refusal.message}`)
        return HttpServerResponse.text(`${refusal.message}\n`, {
          status: refusal.status,
          headers: refusal.status === 401 ? { "www-authenticate": 'Bearer realm="secure-mcp-gateway"' } : {}
        })
      }),
    { global: true }
  )
}
