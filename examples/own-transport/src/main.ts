import { decodeOAuthConfig, isLoopbackHost, OAuthHttp, OAuthService } from "@secure-mcp/oauth-core"
import { OAuthFlows } from "@secure-mcp/oauth-flows"
import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import { recordedHttp } from "./RecordedHttp.ts"

const environment = Config.all({
  issuer: Config.URL("ISSUER"),
  client_id: Config.NonEmptyString("CLIENT_ID"),
  client_secret: Config.NonEmptyString("CLIENT_SECRET")
})

const program = Effect.gen(function* () {
  const { issuer, ...client } = yield* environment
  const config = yield* Effect.fromResult(
    decodeOAuthConfig({
      ...client,
      issuer: issuer.href.replace(/\/$/, ""),
      enforce_https: !isLoopbackHost(issuer.hostname)
    })
  )
  const { getAccessToken } = yield* OAuthService
  const { token } = yield* getAccessToken({ serverName: "example", config })
  const seconds = Duration.toSeconds(token.lifetime)
  yield* Console.log(`Got a token that lives for ${seconds} s`)
})

const Recorder = recordedHttp(({ method, milliseconds, status, url }) =>
  Console.log(`${method} ${url}: ${status ?? "no answer"} after ${milliseconds} ms`)
)

const Live = OAuthService.layer.pipe(
  Layer.provide(OAuthFlows.layer),
  Layer.provide(SingleFlightTokenCache.layerMemory),
  Layer.provide(Recorder),
  Layer.provide(OAuthHttp.layer),
  Layer.provide(FetchHttpClient.layer)
)

await Effect.runPromise(Effect.provide(program, Live))
