import * as NodeServices from "@effect/platform-node/NodeServices"
import { decodeOAuthConfig, isLoopbackHost, OAuthHttp, OAuthService } from "@secure-mcp/oauth-core"
import { OAuthFlows } from "@secure-mcp/oauth-flows"
import { SingleFlightTokenCache, UnleasedTokenStore } from "@secure-mcp/token-cache"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import { keyValueTokenStore } from "./KeyValueTokenStore.ts"

const environment = Config.all({
  token_url: Config.NonEmptyString("TOKEN_URL"),
  client_id: Config.NonEmptyString("CLIENT_ID"),
  client_secret: Config.NonEmptyString("CLIENT_SECRET")
})

const program = Effect.gen(function* () {
  const keys = yield* environment
  const onThisMachine = isLoopbackHost(URL.parse(keys.token_url)?.hostname ?? "")
  const config = yield* Effect.fromResult(decodeOAuthConfig({ ...keys, enforce_https: !onThisMachine }))
  const { getAccessToken } = yield* OAuthService
  const { source } = yield* getAccessToken({ serverName: "example", config })
  yield* Console.log(source === "cache" ? "Got a token from the store" : "Got a new token")
})

const Store = Layer.unwrap(
  Effect.map(Config.Redacted("STORE_KEY"), (encryptionKey) => keyValueTokenStore({ encryptionKey }))
).pipe(Layer.provide(KeyValueStore.layerFileSystem("tokens")), Layer.provide(NodeServices.layer))

const Live = OAuthService.layer.pipe(
  Layer.provide(OAuthFlows.layer),
  Layer.provide(SingleFlightTokenCache.layer),
  // No other process uses these files.
  Layer.provide(UnleasedTokenStore.forOneProcess),
  Layer.provide(Store),
  Layer.provide(OAuthHttp.layer),
  Layer.provide(FetchHttpClient.layer)
)

await Effect.runPromise(Effect.provide(program, Live))
