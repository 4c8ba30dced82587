import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { ClientCertificates, MtlsOAuthHttp } from "@secure-mcp/mtls"
import { decodeOAuthConfig, OAuthHttp, OAuthService } from "@secure-mcp/oauth-core"
import { OAuthFlows } from "@secure-mcp/oauth-flows"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"

/** `OAuthService` with everything below it that the gateway has, too, over any `OAuthHttp`. */
const over = (http: Layer.Layer<OAuthHttp>) =>
  OAuthService.layer.pipe(
    Layer.provide(OAuthFlows.layer),
    Layer.provide(SingleFlightTokenCache.layerMemory),
    Layer.provide(http),
    Layer.provide(OAuthMetrics.layer)
  )

/** As the gateway wires it. */
export const serviceOverMtls = over(
  MtlsOAuthHttp.layer.pipe(
    Layer.provide(ClientCertificates.layer),
    Layer.provide(NodeFileSystem.layer),
    Layer.orDie
  )
)

/** As somebody wires it who only takes the flows. */
export const serviceOverFetch = over(OAuthHttp.layer.pipe(Layer.provide(FetchHttpClient.layer)))

/** A client with a secret; `http` is allowed, because everything stays on this machine. */
export const configFor = (tokenUrl: string) =>
  Effect.runSync(
    Effect.fromResult(
      decodeOAuthConfig({
        token_url: tokenUrl,
        client_id: "benchmark",
        client_secret: "the-secret-of-the-client",
        enforce_https: false
      })
    )
  )
