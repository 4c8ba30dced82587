import { assert, describe, it } from "@effect/vitest"
import {
  AuthorizationDenied,
  AuthorizationResponseInvalid,
  decodeOAuthConfig,
  OAuthError,
  OAuthService,
  type AccessTokenRequest,
  type OAuthErrorReason
} from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { configWith, makePorts, tokenNumber } from "./FakePorts.ts"

const personal = (grant_type: string) =>
  Result.getOrThrow(decodeOAuthConfig({ enabled: true, grant_type, client_id: "client" }))

const person = (fields: Partial<AccessTokenRequest> = {}): AccessTokenRequest => ({
  serverName: "remote",
  config: personal("authorization_code"),
  subject: "alice",
  ...fields
})

const challenge = { error: "insufficient_scope", scope: "write" }

const failing = (reason: OAuthErrorReason) =>
  Effect.fail(new OAuthError({ operation: "log in", serverName: "remote", correlationId: "1", reason }))

describe("the owner of a token", () => {
  it.effect.each(["authorization_code", "device_code"])(
    "a grant by %s belongs to the person",
    (grant_type) => {
      const ports = makePorts()
      return Effect.gen(function* () {
        const oauth = yield* OAuthService
        const config = personal(grant_type)
        yield* oauth.getAccessToken(person({ config }))
        assert.strictEqual((yield* oauth.getAccessToken(person({ config }))).source, "cache")
        assert.strictEqual(
          (yield* oauth.getAccessToken(person({ config, subject: "bob" }))).source,
          "acquired"
        )
        assert.deepStrictEqual(
          ports.asked.map(({ key }) => key.subject),
          ["alice", "alice", "bob"]
        )
      }).pipe(Effect.provide(ports.layer))
    }
  )

  it.effect("a token of the client itself is shared by all", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const config = configWith({})
      yield* oauth.getAccessToken(person({ config }))
      assert.strictEqual((yield* oauth.getAccessToken(person({ config, subject: "bob" }))).source, "cache")
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("a token of a discovered server is not used for another server", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      yield* oauth.getAccessToken(person({ resourceUrl: "https://one.example.com/mcp" }))
      const moved = yield* oauth.getAccessToken(person({ resourceUrl: "https://two.example.com/mcp" }))
      assert.strictEqual(moved.source, "acquired")
    }).pipe(Effect.provide(ports.layer))
  })
})

describe("OAuthService.refresh with a challenge", () => {
  it.effect("a token with too little scope stays valid for others, and the challenge is passed on", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const { token } = yield* oauth.getAccessToken(person())
      yield* oauth.refresh(person(), { refused: token.accessToken, challenge })
      assert.strictEqual(ports.asked[1]?.unwanted, "insufficient")
      assert.deepStrictEqual(ports.acquired[1]?.challenge, challenge)
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("a refused token is not served again", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const { token } = yield* oauth.getAccessToken(person())
      yield* oauth.refresh(person(), { refused: token.accessToken, challenge: { error: "invalid_token" } })
      assert.strictEqual(ports.asked[1]?.unwanted, "refused")
    }).pipe(Effect.provide(ports.layer))
  })
})

describe("a login", () => {
  it.effect("a login begins with the redirect URI and the challenge", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const redirectUri = "http://127.0.0.1:1/callback"
      const { authorizationUrl } = yield* oauth.authorize(person(), { redirectUri, challenge })
      assert.strictEqual(authorizationUrl, "https://auth.example.com/authorize?state=1")
      const [begun] = ports.authorized
      assert.strictEqual(begun?.redirectUri, redirectUri)
      assert.deepInclude(begun?.request, { serverName: "remote", subject: "alice", challenge })
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("a completed login stores the token where that person's next request finds it", () => {
    const request = { ...person(), correlationId: "1" }
    const ports = makePorts({ redeem: Effect.succeed({ request, token: tokenNumber(7) }) })
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const completed = yield* oauth.completeAuthorization({ code: "c", state: "s" })
      assert.deepInclude(completed, { serverName: "remote", subject: "alice" })
      const { source, token } = yield* oauth.getAccessToken(person())
      assert.deepStrictEqual([source, Redacted.value(token.accessToken)], ["cache", "token-7"])
      assert.strictEqual((yield* oauth.getAccessToken(person({ subject: "bob" }))).source, "acquired")
      assert.deepInclude(ports.published[0], {
        _tag: "TokenAcquired",
        serverName: "remote",
        subject: "alice",
        refresh: false
      })
    }).pipe(Effect.provide(ports.layer))
  })

  for (const [how, grant_type] of [
    ["in a browser", "authorization_code"],
    ["on another device", "device_code"]
  ] as const)
    it.effect(`${how} whose access token is refused stores the refresh token for the next renewal`, () => {
      const request = { ...person({ config: personal(grant_type) }), correlationId: "1" }
      const token = tokenNumber(7)
      const error = new OAuthError({
        operation: "log in",
        serverName: "remote",
        correlationId: "1",
        reason: new AuthorizationDenied({ error: "access_denied" })
      })
      const ports = makePorts({ refusedGrant: { request, token, error } })
      return Effect.gen(function* () {
        const oauth = yield* OAuthService
        const login: Effect.Effect<unknown, OAuthError> =
          grant_type === "device_code"
            ? Effect.flatMap(oauth.authorizeDevice(request), (device) => device.token)
            : oauth.completeAuthorization({ code: "c", state: "s" })
        assert.strictEqual(yield* Effect.flip(login), error)
        yield* oauth.refresh(request)
        assert.strictEqual(ports.previous[0], token)
      }).pipe(Effect.provide(ports.layer))
    })

  it.effect("a failed login stores nothing and is counted; an unrelated response is not", () => {
    const denied = makePorts({ redeem: failing(new AuthorizationDenied({ error: "access_denied" })) })
    const forged = makePorts({ redeem: failing(new AuthorizationResponseInvalid({ problem: "p" })) })
    const complete = Effect.gen(function* () {
      const oauth = yield* OAuthService
      yield* Effect.flip(oauth.completeAuthorization({}))
      assert.strictEqual((yield* oauth.getAccessToken(person())).source, "acquired")
    })
    return Effect.gen(function* () {
      yield* Effect.provide(complete, denied.layer)
      yield* Effect.provide(complete, forged.layer)
      assert.deepInclude(denied.published[0], { _tag: "AcquisitionFailed", reason: "AuthorizationDenied" })
      assert.lengthOf(forged.published, 0)
    })
  })

  it.effect("a failed login names the person whose it was, once it is certain whose", () => {
    const redeem = failing(new AuthorizationDenied({ error: "access_denied" }))
    const known = makePorts({ redeem, pending: { ...person(), correlationId: "1" } })
    const unknown = makePorts({ redeem })
    const complete = Effect.flatMap(OAuthService, (oauth) => Effect.flip(oauth.completeAuthorization({})))
    return Effect.gen(function* () {
      yield* Effect.provide(complete, known.layer)
      yield* Effect.provide(complete, unknown.layer)
      assert.deepInclude(known.published[0], { _tag: "AcquisitionFailed", subject: "alice" })
      assert.notProperty(unknown.published[0], "subject")
    })
  })

  it.effect("a failed login on another device names the person", () => {
    const request = { ...person({ config: personal("device_code") }), correlationId: "1" }
    const error = new OAuthError({
      operation: "log in",
      serverName: "remote",
      correlationId: "1",
      reason: new AuthorizationDenied({ error: "access_denied" })
    })
    const ports = makePorts({ refusedGrant: { request, token: tokenNumber(7), error } })
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      yield* Effect.flip(Effect.flatMap(oauth.authorizeDevice(request), ({ token }) => token))
      assert.deepInclude(ports.published[0], { _tag: "AcquisitionFailed", subject: "alice" })
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("a login on another device stores the token once the person has agreed", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const config = personal("device_code")
      const { token, ...shown } = yield* oauth.authorizeDevice(person({ config }))
      assert.deepStrictEqual(shown, {
        userCode: "WDJB-MJHT",
        verificationUri: "https://auth.example.com/device",
        expiresIn: 600
      })
      assert.strictEqual(Redacted.value((yield* token).accessToken), "token-100")
      assert.strictEqual((yield* oauth.getAccessToken(person({ config }))).source, "cache")
    }).pipe(Effect.provide(ports.layer))
  })
})
