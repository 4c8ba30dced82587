import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { ClientCertificates, MtlsOAuthHttp } from "@secure-mcp/mtls"
import { decodeOAuthConfig, OAuthHttp, OAuthService, type TokenCache } from "@secure-mcp/oauth-core"
import { OAuthFlows } from "@secure-mcp/oauth-flows"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as References from "effect/References"

const over = (http: Layer.Layer<OAuthHttp>) =>
  OAuthService.layer.pipe(Layer.provide(OAuthFlows.layer), Layer.provide(http))

const mtls = MtlsOAuthHttp.layer.pipe(
  Layer.provide(ClientCertificates.layer),
  Layer.provide(NodeFileSystem.layer)
)

/** `OAuthService` as the gateway wires it, with metrics, over a cache of one's choice. */
export const serviceWithCache = <R>(cache: Layer.Layer<TokenCache, never, R>) =>
  over(mtls).pipe(Layer.provide(cache), Layer.provide(OAuthMetrics.layer))

/** As the gateway wires it, with tokens in memory. */
export const serviceOverMtls = serviceWithCache(SingleFlightTokenCache.layerMemory)

/** As somebody wires it who only takes the flows. */
export const serviceOverFetch = over(OAuthHttp.layer.pipe(Layer.provide(FetchHttpClient.layer))).pipe(
  Layer.provide(SingleFlightTokenCache.layerMemory),
  Layer.provide(OAuthMetrics.layer)
)

/** A runtime with these services that logs nothing: others log nothing, either. */
export const quietRuntime = <A>(services: Layer.Layer<A>) =>
  ManagedRuntime.make(services.pipe(Layer.provideMerge(noLog)))

/** For what would log otherwise. */
export const noLog = Layer.succeed(References.MinimumLogLevel, "None")

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
