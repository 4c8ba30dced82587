import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { ClientCertificates } from "@secure-mcp/mtls"
import { type AccessTokenRequest, decodeOAuthConfig } from "@secure-mcp/oauth-core"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import { askWithoutToken, firstChallenge, needsChallenge } from "../../src/login/FirstChallenge.ts"

const TestLayer = ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer))

const requestOf = (resourceUrl: string | undefined, oauth: object = {}): AccessTokenRequest => ({
  projectId: "default",
  configId: "default",
  serverName: "files",
  resourceUrl,
  config: Result.getOrThrow(
    decodeOAuthConfig({ enforce_https: false, grant_type: "authorization_code", ...oauth })
  )
})

const challenge = 'Bearer resource_metadata="https://mcp.example/meta", scope="a b"'
const read = { error: undefined, scope: "a b", resourceMetadata: "https://mcp.example/meta" }

const refusing = (status = 401) =>
  Answer.text("no", { status, headers: { "www-authenticate": challenge, location: "/other" } })

describe("the first challenge of a login", () => {
  it.effect("the MCP server is asked with a ping that has no token, and its challenge is read", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/mcp", refusing())
      const certificates = yield* ClientCertificates
      const request = requestOf(server.endpoint("/mcp"))
      assert.deepStrictEqual(yield* firstChallenge(certificates, request), read)
      yield* firstChallenge(certificates, { ...request, userAgent: "an agent" })
      const [asked, named] = yield* server.requests
      assert.strictEqual(asked?.method, "POST")
      assert.deepInclude(asked?.headers, {
        "content-type": "application/json",
        accept: "application/json, text/event-stream"
      })
      assert.notProperty(asked?.headers, "authorization")
      assert.notProperty(asked?.headers, "user-agent")
      assert.strictEqual(asked?.body, '{"jsonrpc":"2.0","id":0,"method":"ping"}')
      assert.strictEqual(named?.headers["user-agent"], "an agent")
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("only an answer with 401 has a challenge", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/mcp", refusing(403))
      const certificates = yield* ClientCertificates
      const request = requestOf(server.endpoint("/mcp"))
      assert.deepStrictEqual(yield* askWithoutToken(certificates, server.endpoint("/mcp"), request), {
        status: 403,
        challenge: undefined,
        authenticate: challenge,
        location: "/other"
      })
      assert.isUndefined(yield* firstChallenge(certificates, request))
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("a server that hangs for ten seconds, or is away, has none", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/mcp", Answer.hang)
      yield* server.always("/reset", Answer.reset)
      const certificates = yield* ClientCertificates
      assert.isUndefined(yield* firstChallenge(certificates, requestOf(server.endpoint("/reset"))))
      const hanging = yield* Effect.forkChild(
        firstChallenge(certificates, requestOf(server.endpoint("/mcp"))),
        { startImmediately: true }
      )
      yield* TestClock.adjust("9999 millis")
      assert.isUndefined(hanging.pollUnsafe())
      yield* TestClock.adjust("1 milli")
      assert.isUndefined(yield* Fiber.join(hanging))
    }).pipe(Effect.provide(TestLayer))
  )

  const issuer = "https://as.example"
  const tokenUrl = {
    token_url: "https://as.example/token",
    authorization_url: "https://as.example/authorize"
  }
  const needs = [
    ["nothing is configured", {}, true],
    ["the scope alone is configured", { scope: "a" }, true],
    ["the issuer alone is configured", { issuer }, true],
    ["the endpoints alone are configured", { ...tokenUrl, client_id: "c" }, true],
    ["issuer and scope are configured", { issuer, scope: "a" }, false],
    ["endpoints and scope are configured", { ...tokenUrl, client_id: "c", scope: "a" }, false]
  ] as const
  it.effect.each(needs)("the MCP server is asked only if more is to be known: %s", ([, oauth, expected]) =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/mcp", refusing())
      const request = requestOf(server.endpoint("/mcp"), oauth)
      assert.strictEqual(needsChallenge(request), expected)
      assert.deepStrictEqual(
        yield* firstChallenge(yield* ClientCertificates, request),
        expected ? read : undefined
      )
      assert.isFalse(needsChallenge({ ...request, resourceUrl: undefined }))
      assert.isUndefined(
        yield* firstChallenge(yield* ClientCertificates, { ...request, resourceUrl: undefined })
      )
    }).pipe(Effect.provide(TestLayer))
  )
})
