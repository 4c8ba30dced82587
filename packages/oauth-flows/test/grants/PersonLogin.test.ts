import { assert, describe, it } from "@effect/vitest"
import { AuthorizationServer } from "@secure-mcp/authorization-server"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { browse } from "../TestBrowser.ts"
import { makeGrants, requestFor, settle } from "../TestGrants.ts"
import { accessToken, assertFailsWith, failureOf, redirectUri, refreshToken } from "../TestLogin.ts"

const opaque = "https://mcp.example.com/mcp"
const jwt = "https://jwt.example.com/mcp"
const deviceCode = "urn:ietf:params:oauth:grant-type:device_code"

const makeProvider = (resource = opaque) =>
  Effect.gen(function* () {
    const server = yield* AuthorizationServer.make({
      clients: [
        {
          client_id: "app",
          application_type: "native",
          token_endpoint_auth_method: "none",
          grant_types: ["authorization_code", "refresh_token"],
          redirect_uris: [redirectUri]
        },
        {
          client_id: "terminal",
          application_type: "native",
          token_endpoint_auth_method: "none",
          grant_types: [deviceCode, "refresh_token"],
          response_types: [],
          redirect_uris: []
        }
      ],
      resources: [
        { identifier: opaque, scopes: ["mcp:read", "mcp:write"], accessTokenFormat: "opaque" },
        { identifier: jwt, scopes: ["mcp:read"], accessTokenFormat: "jwt" }
      ]
    })
    const grants = yield* makeGrants({ authTimeout: "1 hour" })
    const request = requestFor({
      grant_type: "authorization_code",
      version: "2.1",
      issuer: server.issuer,
      client_id: "app",
      client_secret: undefined,
      scope: "mcp:read",
      resource
    })
    const logIn = Effect.fnUntraced(function* (wanted = request, answers: Record<string, string> = {}) {
      const { authorizationUrl } = yield* grants.authorize(wanted, redirectUri)
      const callback = yield* browse(authorizationUrl, redirectUri, { login: "alice", ...answers })
      return yield* grants.redeem(new URL(callback).searchParams)
    })
    return { server, grants, request, logIn }
  })

describe("a person's login at a certified authorization server", () => {
  it.effect("a login gets a token for the person and the resource, which is renewed with rotation", () =>
    Effect.gen(function* () {
      const { grants, logIn, request, server } = yield* makeProvider()
      const { token } = yield* logIn()
      assert.deepInclude(yield* server.verify(accessToken(token)), {
        active: true,
        sub: "alice",
        client_id: "app",
        aud: opaque,
        scope: "mcp:read"
      })
      const renewed = yield* grants.acquire(request, token)
      assert.deepInclude(yield* server.verify(accessToken(renewed)), {
        active: true,
        sub: "alice",
        aud: opaque
      })
      assert.notStrictEqual(refreshToken(renewed), refreshToken(token))
      // To use the old one again is taken for theft: that ends the whole grant.
      yield* assertFailsWith(grants.acquire(request, token), "AuthorizationRequired")
      yield* assertFailsWith(grants.acquire(request, renewed), "AuthorizationRequired")
    })
  )

  it.effect("a login needs neither pushed authorization requests nor DPoP of the server", () =>
    Effect.gen(function* () {
      const { logIn, server } = yield* makeProvider()
      const url = `${server.issuer}/.well-known/openid-configuration`
      const metadata: unknown = yield* Effect.promise(() => fetch(url).then((response) => response.json()))
      assert.containsAllKeys(metadata, ["introspection_endpoint", "device_authorization_endpoint"])
      assert.doesNotHaveAnyKeys(metadata, [
        "pushed_authorization_request_endpoint",
        "dpop_signing_alg_values_supported"
      ])
      assert.match(accessToken((yield* logIn()).token), /./)
    })
  )

  it.effect("a grant for one resource is not renewed for another, and the error says what to check", () =>
    Effect.gen(function* () {
      const { grants, logIn, request } = yield* makeProvider()
      const { token } = yield* logIn()
      const elsewhere = requestFor({
        grant_type: "authorization_code",
        version: "2.1",
        issuer: request.config.issuer,
        client_id: "app",
        client_secret: undefined,
        scope: "mcp:read",
        resource: jwt
      })
      const reason = yield* failureOf(grants.acquire(elsewhere, token))
      assert.deepInclude(reason, { _tag: "RequestRefused", error: "invalid_target" })
      assert.include(reason.message, "Check `resource`")
    })
  )

  it.effect("a login that is denied fails with AuthorizationDenied", () =>
    Effect.gen(function* () {
      const { logIn } = yield* makeProvider()
      assert.deepInclude(yield* failureOf(logIn(undefined, { deny: "" })), {
        _tag: "AuthorizationDenied",
        error: "access_denied",
        description: "The person refused"
      })
    })
  )

  it.effect("two people who log in get two tokens", () =>
    Effect.gen(function* () {
      const { logIn, request, server } = yield* makeProvider()
      for (const subject of ["alice", "bob"]) {
        const { request: owner, token } = yield* logIn({ ...request, subject }, { login: subject })
        assert.strictEqual(owner.subject, subject)
        assert.deepInclude(yield* server.verify(accessToken(token)), { sub: subject })
      }
    })
  )

  it.effect("a later login can ask for more scope", () =>
    Effect.gen(function* () {
      const { grants, logIn, request, server } = yield* makeProvider()
      const { token } = yield* logIn()
      const challenge = { error: "insufficient_scope", scope: "mcp:write" }
      const reason = yield* failureOf(grants.acquire({ ...request, challenge }, token))
      assert(reason._tag === "AuthorizationRequired")
      const { token: wide } = yield* logIn({ ...request, challenge: reason.challenge })
      assert.deepInclude(yield* server.verify(accessToken(wide)), { scope: "mcp:read mcp:write" })
      assert.deepStrictEqual(wide.scope, ["mcp:read", "mcp:write"])
    })
  )

  it.effect("after revocation neither the access token nor the refresh token works", () =>
    Effect.gen(function* () {
      const { grants, logIn, request, server } = yield* makeProvider()
      const { token } = yield* logIn()
      yield* grants.revoke(request, token)
      assert.deepStrictEqual(yield* server.verify(accessToken(token)), { active: false })
      yield* assertFailsWith(grants.acquire(request, token), "AuthorizationRequired")
    })
  )

  it.effect("a grant is revoked although its JWT access token cannot be", () =>
    Effect.gen(function* () {
      const { grants, logIn, request } = yield* makeProvider(jwt)
      const { token } = yield* logIn()
      assert.match(accessToken(token), /^[\w-]+\.[\w-]+\.[\w-]+$/)
      yield* grants.revoke(request, token)
      yield* assertFailsWith(grants.acquire(request, token), "AuthorizationRequired")
    })
  )

  it.effect("a login on another device gets a token", () =>
    Effect.gen(function* () {
      const { grants, request, server } = yield* makeProvider()
      const config = { ...request.config, grantType: deviceGrant, clientId: "terminal" }
      const device = yield* grants.authorizeDevice({ ...request, config })
      const end = yield* browse(device.verificationUriComplete ?? "", "none:", { login: "alice" })
      assert.isTrue(end.startsWith(server.issuer), end)
      const token = yield* settle(device.token)
      assert.deepInclude(yield* server.verify(accessToken(token)), {
        active: true,
        sub: "alice",
        aud: opaque
      })
      const renewed = yield* grants.acquire({ ...request, config }, token)
      assert.isTrue(Redacted.isRedacted(renewed.refreshToken))
    })
  )

  it.effect("a denial on another device ends the login", () =>
    Effect.gen(function* () {
      const { grants, request } = yield* makeProvider()
      const config = { ...request.config, grantType: deviceGrant, clientId: "terminal" }
      const { token, verificationUri, userCode } = yield* grants.authorizeDevice({ ...request, config })
      yield* browse(verificationUri, "none:", { user_code: userCode, login: "alice", deny: "" })
      assert.deepInclude(yield* failureOf(settle(token)), {
        _tag: "AuthorizationDenied",
        error: "access_denied"
      })
    })
  )
})

const deviceGrant = "device_code" as const
