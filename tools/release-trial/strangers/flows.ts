// Flows alone: a token, and nothing is cached.
import assert from "node:assert/strict"
import { decodeOAuthConfig, Grants, OAuthHttp } from "@secure-mcp/oauth-core"
import { OAuthFlows } from "@secure-mcp/oauth-flows"
import { ProviderBehaviour, startAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

const { close, endpoint } = await startAuthorizationServer({
  "/token": ProviderBehaviour.rotatesRefreshTokens
})
const program = Effect.gen(function* () {
  const config = yield* Effect.fromResult(
    decodeOAuthConfig({
      token_url: endpoint("/token"),
      client_id: "me",
      client_secret: "s",
      enforce_https: false
    })
  )
  const grants = yield* Grants
  return yield* grants.acquire({ serverName: "api", config, correlationId: crypto.randomUUID() }, undefined)
})
const Live = OAuthFlows.layer.pipe(Layer.provide(OAuthHttp.layer), Layer.provide(FetchHttpClient.layer))
const token = await Effect.runPromise(Effect.provide(program, Live))
assert.equal(Redacted.value(token.accessToken), "access-1-1")
await close()
