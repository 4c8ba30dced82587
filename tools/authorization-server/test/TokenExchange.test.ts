import { assert, describe, it } from "@effect/vitest"
import {
  AuthorizationServer,
  clientCredentialsClient,
  tokenExchangeClient
} from "@secure-mcp/authorization-server"
import * as Effect from "effect/Effect"
import { basic, postForm } from "./postForm.ts"

const gateway = "https://gw.example.com/servers/echo/mcp"
const mcp = "https://echo.example.com/mcp"

const start = Effect.gen(function* () {
  const server = yield* AuthorizationServer.make({
    clients: [clientCredentialsClient("person", "secret-1"), tokenExchangeClient("gateway", "secret-2")],
    resources: [
      { identifier: gateway, scopes: ["mcp"], accessTokenFormat: "jwt" },
      { identifier: mcp, scopes: ["mcp:read", "mcp:write"], accessTokenFormat: "jwt" }
    ]
  })
  const subjectToken = Effect.map(
    postForm(
      server.tokenEndpoint,
      { grant_type: "client_credentials", resource: gateway, scope: "mcp" },
      { authorization: basic("person", "secret-1") }
    ),
    ({ accessToken }) => accessToken
  )
  const exchange = (subject: string, more: Record<string, string> = {}, who = basic("gateway", "secret-2")) =>
    postForm(
      server.tokenEndpoint,
      {
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token: subject,
        subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
        resource: mcp,
        ...more
      },
      { authorization: who }
    )
  return { exchange, server, subjectToken }
})

describe("token exchange", () => {
  it.live("a token becomes one of the same subject for another resource, which ends no later", () =>
    Effect.gen(function* () {
      const { exchange, server, subjectToken } = yield* start
      yield* server.setAccessTokenLifetime(100)
      const subject = yield* subjectToken
      yield* server.setAccessTokenLifetime(1000)
      const { accessToken, body, status } = yield* exchange(subject, { scope: "mcp:read unknown" })
      assert.strictEqual(status, 200, JSON.stringify(body))
      assert.isAtMost(Number(body["expires_in"]), 100)
      const token = yield* server.verify(accessToken)
      assert.deepInclude(token, {
        active: true,
        sub: "person",
        aud: mcp,
        client_id: "gateway",
        scope: "mcp:read"
      })
    })
  )

  it.live("what cannot be exchanged is refused", () =>
    Effect.gen(function* () {
      const { exchange, server, subjectToken } = yield* start
      const subject = yield* subjectToken
      const errorOf = (answer: ReturnType<typeof exchange>) => Effect.map(answer, ({ body }) => body["error"])
      assert.strictEqual(yield* errorOf(exchange("not.a.token")), "invalid_request")
      const unknown = { resource: "https://elsewhere.example" }
      assert.strictEqual(yield* errorOf(exchange(subject, unknown)), "invalid_target")
      const { body } = yield* exchange(subject, {}, basic("person", "secret-1"))
      assert.include(String(body["error_description"]), "grant type is not allowed for this client")
      yield* server.revokeAll
      assert.strictEqual(yield* errorOf(exchange(subject)), "invalid_request")
    })
  )

  it.live("a new key signs, and tokens of the old one stay valid", () =>
    Effect.gen(function* () {
      const { server, subjectToken } = yield* start
      const kidOf = (token: string): string =>
        JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid
      const before = yield* subjectToken
      yield* server.rotateKey
      const after = yield* subjectToken
      assert.notStrictEqual(kidOf(after), kidOf(before))
      for (const token of [before, after]) assert.isTrue((yield* server.verify(token)).active)
      const keys = yield* Effect.promise(async () => (await fetch(server.jwksUri)).json())
      assert.deepStrictEqual(
        (keys as { keys: ReadonlyArray<{ kid: string }> }).keys.map(({ kid }) => kid).toSorted(),
        [kidOf(before), kidOf(after)].toSorted()
      )
    })
  )
})
