// A grant of one's own: a token that another kind of endpoint gives for a key.
import assert from "node:assert/strict"
import { decodeOAuthConfig, Grants, OAuthHttp, OAuthToken } from "@secure-mcp/oauth-core"
import { configuredEndpoint, Flow, OAuthFlows, requestFields } from "@secure-mcp/oauth-flows"
import { Answer, startAuthorizationServer } from "@secure-mcp/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

const apiKey = Flow.make({
  grantType: "api_key",
  keys: { api_url: Schema.String, api_key: Schema.RedactedFromValue(Schema.NonEmptyString) },
  acquire: Effect.fnUntraced(function* ({ keys, request }) {
    const issuedAt = yield* Clock.currentTimeMillis
    const key = Redacted.value(keys.api_key)
    const message = HttpClientRequest.post(keys.api_url).pipe(HttpClientRequest.setHeader("x-api-key", key))
    const endpoint = configuredEndpoint("token", keys.api_url)
    const { token } = yield* requestFields({ request, endpoint, message, secrets: [keys.api_key] })
    const accessToken = Redacted.make(String(token))
    return new OAuthToken({ accessToken, tokenType: "Bearer", issuedAt, reusable: true })
  })
})

const server = await startAuthorizationServer({ "/exchange": Answer.json({ token: "of-my-own" }) })
const oauth = { grant_type: "api_key", version: "2.1", enforce_https: false, api_key: "k" }
const program = Effect.gen(function* () {
  const api_url = server.endpoint("/exchange")
  const config = yield* Effect.fromResult(decodeOAuthConfig({ ...oauth, api_url }, { grants: [apiKey] }))
  const grants = yield* Grants
  return yield* grants.acquire({ serverName: "api", config, correlationId: crypto.randomUUID() }, undefined)
})
const Live = OAuthFlows.layerWith([apiKey]).pipe(
  Layer.provide(OAuthHttp.layer),
  Layer.provide(FetchHttpClient.layer)
)
const { accessToken } = await Effect.runPromise(Effect.provide(program, Live))
assert.equal(Redacted.value(accessToken), "of-my-own")
assert.equal(server.requests()[0]?.headers["x-api-key"], "k")
await server.close()
