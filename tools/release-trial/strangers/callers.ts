// Who calls, alone: an API key, and a token of an issuer that is away.
import { ApiKeys, Callers, CallerRefused, JwtBearer } from "@secure-mcp/inbound-auth"
import { OAuthHttp } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import assert from "node:assert/strict"

const key = "a-key-of-sixteen-characters"
const CallersLive = Callers.layerOf([
  Effect.succeed(ApiKeys.method([{ key: Redacted.make(key), subject: "backup" }])),
  JwtBearer.method([{ issuer: "http://127.0.0.1:1", requiredScopes: ["mcp"] }])
]).pipe(Layer.provide(OAuthHttp.layer), Layer.provide(FetchHttpClient.layer))

const callerOf = (authorization?: string) =>
  Callers.callerOf({ authorization, resource: "https://mcp.example.com/mcp" })

await Effect.runPromise(
  Effect.gen(function* () {
    assert.equal((yield* callerOf(`Bearer ${key}`)).subject, "backup")
    const refused = yield* Effect.flip(callerOf())
    assert.ok(refused instanceof CallerRefused)
    assert.equal(refused.status, 401)
    assert.equal(
      refused.challenge("https://m"),
      'Bearer realm="secure-mcp-gateway", resource_metadata="https://m", scope="mcp"'
    )
  }).pipe(Effect.provide(CallersLive))
)
