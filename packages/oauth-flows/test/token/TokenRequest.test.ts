import { assert, describe, it } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { correlationId, makeGrants, requestFor } from "../TestGrants.ts"

const sentWith = Effect.fnUntraced(function* (oauth: Readonly<Record<string, unknown>>, query = "") {
  const server = yield* StubAuthorizationServer.make()
  yield* server.always("/token", Answer.token())
  const grants = yield* makeGrants()
  yield* grants.acquire(requestFor({ token_url: server.endpoint(`/token${query}`), ...oauth }), undefined)
  const [request] = yield* server.received(1)
  assert(request !== undefined)
  return request
})

describe("the token request", () => {
  it.effect("a token request is a form by POST that accepts JSON and carries the correlation id", () =>
    Effect.gen(function* () {
      const request = yield* sentWith({})
      assert.strictEqual(request.method, "POST")
      assert.deepInclude(request.headers, {
        "content-type": "application/x-www-form-urlencoded",
        accept: "application/json",
        "x-correlation-id": correlationId,
        "x-request-id": correlationId
      })
      assert.strictEqual(request.body, "grant_type=client_credentials")
    })
  )

  it.effect("a token request carries scope, audience, organization and, byte for byte, resource", () =>
    Effect.gen(function* () {
      const resource = "HTTPS://API.example.com:443/a/../%7Emcp?x=ä"
      const request = yield* sentWith({
        scope: "mcp:read mcp:write",
        audience: "https://api.example.com",
        organization: "org & sons",
        resource
      })
      assert.deepStrictEqual(Object.fromEntries(request.form), {
        grant_type: "client_credentials",
        scope: "mcp:read mcp:write",
        audience: "https://api.example.com",
        organization: "org & sons",
        resource
      })
    })
  )

  it.effect("a token request keeps the query of the token URL", () =>
    Effect.gen(function* () {
      const request = yield* sentWith({}, "?tenant=a%20b&v=2")
      assert.strictEqual(request.rawUrl, "/token?tenant=a%20b&v=2")
    })
  )

  it.effect(
    "a token request has the additional parameters and headers, which never replace the protocol's own",
    () =>
      Effect.gen(function* () {
        const request = yield* sentWith({
          additional_params: { login_hint: "a&b", level: 3, strict: true },
          custom_headers: { "X-Api-Key": "key", "X-Correlation-Id": "mine", Accept: "text/html" }
        })
        assert.deepStrictEqual(Object.fromEntries(request.form), {
          grant_type: "client_credentials",
          login_hint: "a&b",
          level: "3",
          strict: "true"
        })
        assert.deepInclude(request.headers, {
          "x-api-key": "key",
          "x-correlation-id": correlationId,
          accept: "application/json"
        })
      })
  )
})
