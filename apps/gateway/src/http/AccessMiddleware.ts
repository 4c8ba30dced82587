import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { GatewaySettings } from "../config/GatewaySettings.ts"
import { makeAccess } from "./Access.ts"
import { nodeExchange } from "./NodeExchange.ts"

/** Turns away, on every path, who may not talk to the gateway. Nothing of a refused request is read. */
export const accessMiddleware = (settings: GatewaySettings) => {
  const refusalOf = makeAccess(settings)
  return HttpRouter.middleware(
    (app) =>
      Effect.gen(function* () {
        const { request } = yield* nodeExchange(yield* HttpServerRequest.HttpServerRequest)
        const refusal = refusalOf(request)
        if (refusal === undefined) return yield* app
        yield* Effect.logWarning(`Request refused: ${refusal.message}`)
        return HttpServerResponse.text(`${refusal.message}\n`, {
          status: refusal.status,
          headers: refusal.status === 401 ? { "www-authenticate": 'Bearer realm="secure-mcp-gateway"' } : {}
        })
      }),
    { global: true }
  )
}
