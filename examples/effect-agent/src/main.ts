import * as NodeServices from "@effect/platform-node/NodeServices"
import { ClientCertificates, MtlsOAuthHttp } from "@secure-mcp/mtls"
import { decodeOAuthConfig, isLoopbackHost, OAuthHttp, OAuthService } from "@secure-mcp/oauth-core"
import { OAuthFlows } from "@secure-mcp/oauth-flows"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import { FileTokenStore, SingleFlightTokenCache } from "@secure-mcp/token-cache"
import { injectBearer, TokenInjector } from "@secure-mcp/transport-injection"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

const keys = Config.all({
  token_url: Config.NonEmptyString("OAUTH_TOKEN_URL"),
  client_id: Config.NonEmptyString("OAUTH_CLIENT_ID"),
  client_secret: Config.NonEmptyString("OAUTH_CLIENT_SECRET")
})

/** Both or none. */
const certificate = Config.all({
  use_mtls: Config.succeed(true),
  client_cert_path: Config.NonEmptyString("CLIENT_CERT_PATH"),
  client_key_path: Config.NonEmptyString("CLIENT_KEY_PATH")
}).pipe(Config.option, Config.map(Option.getOrElse(() => ({}))))

const program = Effect.gen(function* () {
  const url = yield* Config.URL("MCP_URL")
  const oauth = { ...(yield* keys), ...(yield* certificate), enforce_https: !isLoopbackHost(url.hostname) }
  const config = yield* Effect.fromResult(decodeOAuthConfig(oauth))
  const { client } = yield* (yield* OAuthHttp).connection(config)
  const authorized = client.pipe(injectBearer({ serverName: "remote", config }, { url }))
  for (const method of ["ping", "tools/list"]) {
    const response = yield* HttpClientRequest.post(url).pipe(
      HttpClientRequest.setHeader("accept", "application/json, text/event-stream"),
      HttpClientRequest.bodyJson({ jsonrpc: "2.0", id: method, method }),
      Effect.flatMap(authorized.execute),
      Effect.flatMap(HttpClientResponse.filterStatusOk)
    )
    yield* response.text
    yield* Console.log(`${method}: HTTP ${response.status}`)
  }
  const { token_acquisitions_total: tokens } = yield* (yield* OAuthMetrics).snapshot
  yield* Console.log(`new tokens: ${tokens}`)
})

const Store = Layer.unwrap(
  Effect.map(Config.NonEmptyString("TOKEN_DIRECTORY"), (directory) => FileTokenStore.layer({ directory }))
)

const Live = TokenInjector.layer.pipe(
  Layer.provide(OAuthService.layer),
  Layer.provide(OAuthFlows.layer),
  Layer.provideMerge(SingleFlightTokenCache.layer.pipe(Layer.provide(Store))),
  Layer.provideMerge(MtlsOAuthHttp.layer.pipe(Layer.provide(ClientCertificates.layer))),
  Layer.provideMerge(OAuthMetrics.layer),
  Layer.provide(NodeServices.layer)
)

await Effect.runPromise(Effect.provide(program, Live))
