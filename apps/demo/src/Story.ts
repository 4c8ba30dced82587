import { accessTokenRequest } from "@secure-mcp/gateway-server"
import { type CachedToken, OAuthService } from "@secure-mcp/oauth-core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Cast, Store } from "./Cast.ts"
import { connectClient, echo } from "./McpClient.ts"
import { check, say, StoryError } from "./Steps.ts"

/** The life of a token, step by step. Fails at the first step without the expected result. */
export const tellStory = Effect.fnUntraced(function* (cast: Cast) {
  const { authorizationServer, config, gatewayUrl } = cast
  const service = yield* OAuthService
  const request = yield* tokenRequestOf(cast, "echo")
  const before = yield* tokenRequestsOf(cast)

  const [duration, first] = yield* Effect.timed(service.getAccessToken(request))
  yield* check(first.source === "acquired", "the first token should come from the authorization server")
  yield* say(
    "Token acquired",
    `from ${authorizationServer.tokenEndpoint} in ${Math.round(Duration.toMillis(duration))} ms`
  )
  yield* say("", describeToken(first))

  const client = yield* connectClient(`${gatewayUrl}/servers/echo/mcp`)
  yield* checkEchoed(yield* echo(client), first)
  yield* say("Echoed over HTTP", yield* echo(client))

  yield* check(
    (yield* tokenRequestsOf(cast)) === before + 1,
    "further calls should not ask for another token"
  )
  yield* say("From the cache", "three MCP requests and two tool calls, and still one token request")

  const stdioClient = yield* connectClient(`${gatewayUrl}/servers/echo-stdio/mcp`)
  const echoedByChild = yield* echo(stdioClient)
  yield* check(!echoedByChild.includes("No token found"), "the child should have been given a token")
  yield* say("Echoed over stdio", `${echoedByChild}  (the child got it in ENKRYPT_ACCESS_TOKEN)`)

  const forced = yield* service.refresh(request)
  yield* check(
    !first.token.isAccessToken(forced.token.accessToken),
    "a forced refresh should give another token"
  )
  yield* checkEchoed(yield* echo(client), forced)
  yield* say("Forced refresh", "a new token, and the next call carries it")

  yield* authorizationServer.revokeAccessTokens
  yield* checkNotEchoed(yield* echo(client), forced)
  yield* say(
    "Token refused",
    "revoked at the server: the gateway got another one, the client noticed nothing"
  )

  yield* authorizationServer.setOutage(true)
  const current = yield* service.getAccessToken(request)
  yield* check(current.source === "cache", "an outage should not take the token away")
  yield* checkEchoed(yield* echo(client), current)
  yield* say("Outage survived", "the token endpoint answers 503, the cached token serves on")
  yield* authorizationServer.setOutage(false)

  yield* say("Metrics", `${gatewayUrl}/metrics.json`)
  const metrics = yield* readMetrics(gatewayUrl)
  yield* check(metrics.token_acquisitions_failure === 0, "no acquisition should have failed")
  yield* check(metrics.active_tokens === config.servers.length, "each server should have one active token")
  for (const [name, value] of Object.entries(metrics)) yield* say("", `${name.padEnd(28)}${round(value)}`)
}, Effect.scoped)

/** What becomes of the token when the gateway starts again: it is there if the store outlives the gateway. */
export const tellRestart = Effect.fnUntraced(function* (cast: Cast, store: Store, before: CachedToken) {
  const service = yield* OAuthService
  const earlier = yield* tokenRequestsOf(cast)
  const now = yield* service.getAccessToken(yield* tokenRequestOf(cast, "echo"))
  const asked = (yield* tokenRequestsOf(cast)) - earlier
  const isSame = before.token.isAccessToken(now.token.accessToken)
  if (store.type === "memory") yield* check(!isSame && asked === 1, "memory should not outlive the gateway")
  else yield* check(isSame && asked === 0, "the stored token should outlive the gateway")
  const client = yield* connectClient(`${cast.gatewayUrl}/servers/echo/mcp`)
  yield* checkEchoed(yield* echo(client), now)
  yield* say("Before the restart", echoOf(before))
  yield* say(
    "After the restart",
    `${echoOf(now)}  (${isSame ? "the same, and no token request" : "another one"})`
  )
}, Effect.scoped)

/** The token that the gateway has, without asking for another. */
export const currentToken = Effect.fnUntraced(function* (cast: Cast) {
  const service = yield* OAuthService
  return yield* service.getAccessToken(yield* tokenRequestOf(cast, "echo"))
})

const tokenRequestsOf = ({ authorizationServer }: Cast) =>
  Effect.map(authorizationServer.tokenRequests, ({ length }) => length)

const tokenRequestOf = Effect.fnUntraced(function* ({ config }: Cast, serverName: string) {
  const entry = config.servers.find((candidate) => candidate.serverName === serverName)
  const request = entry && accessTokenRequest(entry, config, undefined)
  return request ?? (yield* new StoryError({ message: `the server ${serverName} should want a token` }))
})

/** The echo server shows the first 20 characters of the token it was given. */
const echoOf = ({ token }: CachedToken) =>
  `Received token: ${Redacted.value(token.accessToken).slice(0, 20)}...`

const checkEchoed = (text: string, token: CachedToken) =>
  check(text === echoOf(token), `the server should have echoed "${echoOf(token)}", it said "${text}"`)

const checkNotEchoed = (text: string, token: CachedToken) =>
  check(
    text !== echoOf(token) && text.startsWith("Received token: "),
    `the server should have got another token`
  )

const describeToken = ({ token }: CachedToken): string =>
  `${token.tokenType} token for "${token.scope?.join(" ") ?? ""}", lives ${Duration.format(token.lifetime)}`

const readMetrics = Effect.fnUntraced(function* (gatewayUrl: string) {
  const response = yield* HttpClient.get(`${gatewayUrl}/metrics.json`)
  return yield* HttpClientResponse.schemaBodyJson(Metrics)(response)
})

const Metrics = Schema.Struct({
  token_acquisitions_total: Schema.Finite,
  token_acquisitions_failure: Schema.Finite,
  token_cache_hits: Schema.Finite,
  token_cache_misses: Schema.Finite,
  token_refreshes: Schema.Finite,
  cache_hit_ratio: Schema.Finite,
  avg_latency_ms: Schema.Finite,
  active_tokens: Schema.Finite
})

const round = (value: number): number => Math.round(value * 100) / 100
