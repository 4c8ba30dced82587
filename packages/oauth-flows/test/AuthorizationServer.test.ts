import { assert, describe, it } from "@effect/vitest"
import { AuthorizationServer, clientCredentialsClient } from "@secure-mcp/authorization-server"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { expiryOf } from "../src/token/ExpiresIn.ts"
import { makeGrants, reasonOf, requestFor, settle } from "./TestGrants.ts"

const opaque = "https://opaque.example.com/mcp"
const jwt = "https://jwt.example.com/mcp"
const oddSecret = "s:e c+r%e&t/="

const makeServer = AuthorizationServer.make({
  clients: [
    clientCredentialsClient("basic:client", oddSecret),
    clientCredentialsClient("post:client", oddSecret, "client_secret_post")
  ],
  resources: [
    { identifier: opaque, scopes: ["mcp:read", "mcp:write"], accessTokenFormat: "opaque" },
    { identifier: jwt, scopes: ["mcp:read"], accessTokenFormat: "jwt" }
  ],
  accessTokenLifetime: 600
})

const requestTo = (server: AuthorizationServer["Service"], oauth: Readonly<Record<string, unknown>> = {}) =>
  requestFor({
    token_url: server.tokenEndpoint,
    revocation_url: server.revocationEndpoint,
    client_id: "basic:client",
    client_secret: oddSecret,
    resource: opaque,
    scope: "mcp:read mcp:write",
    ...oauth
  })

describe("with a certified authorization server", () => {
  const methods = [
    ["client_secret_basic", { client_id: "basic:client", use_basic_auth: true }],
    ["client_secret_post", { client_id: "post:client", use_basic_auth: false }]
  ] as const

  it.effect.each(methods)("%s gets a token for the resource", ([, oauth]) =>
    Effect.gen(function* () {
      const server = yield* makeServer
      const grants = yield* makeGrants()
      const token = yield* grants.acquire(requestTo(server, oauth), undefined)
      assert.deepInclude(token, { scope: ["mcp:read", "mcp:write"], issuedAt: 0, expiresAt: 600_000 })
      assert.deepInclude(yield* server.verify(Redacted.value(token.accessToken)), {
        active: true,
        client_id: oauth.client_id,
        aud: opaque,
        scope: "mcp:read mcp:write"
      })
    })
  )

  it.effect("a JWT without expires_in would live as long as its exp", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      const grants = yield* makeGrants()
      yield* TestClock.setTime(yield* TestClock.withLive(Clock.currentTimeMillis))
      const token = yield* grants.acquire(requestTo(server, { resource: jwt, scope: "mcp:read" }), undefined)
      const { expiresAt } = expiryOf({
        config: { grantType: "client_credentials" },
        issuedAt: token.issuedAt,
        accessToken: Redacted.value(token.accessToken),
        expiresIn: undefined
      })
      assert(expiresAt !== undefined && token.expiresAt !== undefined)
      assert.approximately(expiresAt, token.expiresAt, 60_000)
    })
  )

  it.effect("a token without a requested scope is refused", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      const grants = yield* makeGrants()
      const error = yield* Effect.flip(grants.acquire(requestTo(server, { resource: jwt }), undefined))
      assert.deepStrictEqual(reasonOf(error), { _tag: "InsufficientScope", missing: ["mcp:write"] })
    })
  )

  it.effect("an unknown resource and a wrong secret are refused with what to do", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      const grants = yield* makeGrants()
      const elsewhere = requestTo(server, { resource: "https://elsewhere.example.com" })
      assert.include((yield* Effect.flip(grants.acquire(elsewhere, undefined))).message, "Check `resource`")
      const impostor = requestTo(server, { client_secret: "wrong" })
      const error = yield* Effect.flip(grants.acquire(impostor, undefined))
      assert.deepInclude(reasonOf(error), { _tag: "RequestRefused", status: 401, error: "invalid_client" })
    })
  )

  it.effect("a revoked token is no longer active", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      const grants = yield* makeGrants()
      const token = yield* grants.acquire(requestTo(server), undefined)
      yield* grants.revoke(requestTo(server), token)
      assert.deepStrictEqual(yield* server.verify(Redacted.value(token.accessToken)), { active: false })
    })
  )

  it.effect("an outage ends in EndpointUnavailable after three attempts", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      const grants = yield* makeGrants({ authTimeout: "1 hour" })
      yield* server.setOutage(true)
      const error = yield* Effect.flip(settle(grants.acquire(requestTo(server), undefined)))
      assert.deepInclude(reasonOf(error), { _tag: "EndpointUnavailable", status: 503 })
      assert.lengthOf(yield* server.tokenRequests, 3)
    })
  )
})
