import { decodeOAuthConfig, endpointProblem, Misconfigured } from "@secure-mcp/oauth-core"
import { OAuthHttp, OAuthService } from "@secure-mcp/oauth-core"
import { OAuthFlows } from "@secure-mcp/oauth-flows"
import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
import { injectBearer, TokenInjector } from "@secure-mcp/transport-injection"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import { githubApp } from "./GitHubApp.ts"

const environment = Config.all({
  api_url: Config.NonEmptyString("GITHUB_API_URL").pipe(Config.withDefault("https://api.github.com")),
  app_id: Config.NonEmptyString("GITHUB_APP_ID"),
  installation_id: Config.NonEmptyString("GITHUB_INSTALLATION_ID"),
  app_private_key: Config.NonEmptyString("GITHUB_APP_PRIVATE_KEY")
})

/** What a session with an MCP server begins with. */
const messages = [
  {
    method: "initialize",
    params: {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "own-grant", version: "0.1.0" }
    }
  },
  { method: "tools/list" }
]

const program = Effect.gen(function* () {
  const keys = yield* environment
  const url = yield* Config.URL("MCP_URL")
  // Version 2.1 allows http for this machine, and nothing else.
  const oauth = { grant_type: "github_app", version: "2.1", enforce_https: false, ...keys }
  const config = yield* Effect.fromResult(decodeOAuthConfig(oauth, { grants: [githubApp] }))
  const problem = endpointProblem(url.href, config)
  if (problem !== undefined) return yield* new Misconfigured({ problem: `MCP_URL ${problem}` })
  const client = (yield* HttpClient.HttpClient).pipe(injectBearer({ serverName: "github", config }, { url }))
  let session = {}
  for (const message of messages) {
    const response = yield* HttpClientRequest.post(url).pipe(
      HttpClientRequest.setHeaders({ accept: "application/json, text/event-stream", ...session }),
      HttpClientRequest.bodyJson({ jsonrpc: "2.0", id: message.method, ...message }),
      Effect.flatMap(client.execute),
      Effect.flatMap(HttpClientResponse.filterStatusOk)
    )
    yield* response.text
    yield* Console.log(`${message.method}: HTTP ${response.status}`)
    const id = response.headers["mcp-session-id"]
    session = id === undefined ? {} : { "mcp-session-id": id }
  }
})

const Live = TokenInjector.layer.pipe(
  Layer.provide(OAuthService.layer),
  Layer.provide(OAuthFlows.layerWith([githubApp])),
  Layer.provide(SingleFlightTokenCache.layerMemory),
  Layer.provide(OAuthHttp.layer),
  Layer.provideMerge(FetchHttpClient.layer)
)

await Effect.runPromise(Effect.provide(program, Live))
