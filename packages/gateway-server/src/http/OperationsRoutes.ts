import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import { TokenCache } from "@secure-mcp/oauth-core"
import { TokenStore } from "@secure-mcp/token-cache"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

/** `/healthz`, `/readyz`, `/metrics` and `/metrics.json`: for operators. */
export const OperationsRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const metrics = yield* OAuthMetrics
    const cache = yield* TokenCache
    const withTokens = Effect.provideService(TokenCache, cache)

    yield* router.add("GET", "/healthz", HttpServerResponse.text("ok\n"))
    yield* router.add("GET", "/readyz", readiness(yield* TokenStore))
    yield* router.add("GET", "/metrics", Effect.map(metrics.prometheus, prometheusResponse).pipe(withTokens))
    yield* router.add(
      "GET",
      "/metrics.json",
      metrics.snapshot.pipe(
        withTokens,
        Effect.flatMap(HttpServerResponse.json),
        Effect.catchTag("OAuthError", (error) =>
          HttpServerResponse.json({ error: error.message }, { status: 503 })
        )
      )
    )
  })
)

/** While the store is unavailable, cached tokens are still used, but no grant can be renewed and no login completed. */
const readiness = (store: TokenStore["Service"]) =>
  store.checkWritable.pipe(
    Effect.as(HttpServerResponse.text("ready\n")),
    Effect.catch(({ message }) =>
      Effect.succeed(HttpServerResponse.text(`not ready: ${message}\n`, { status: 503 }))
    )
  )

const prometheusResponse = (text: string) =>
  HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4; charset=utf-8" })
