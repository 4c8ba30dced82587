import { assert, describe, it } from "@effect/vitest"
import {
  InvalidResponse,
  OAuthError,
  OAuthService,
  StoreUnavailable,
  type AccessTokenRequest
} from "@secure-mcp/oauth-core"
import { assertNoCanary, canary } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { configWith, makePorts, refusing } from "./FakePorts.ts"

const request: AccessTokenRequest = { serverName: "remote", config: configWith({}) }
const others: ReadonlyArray<Partial<AccessTokenRequest>> = [
  { projectId: "other" },
  { configId: "other" },
  { serverName: "other" },
  { config: configWith({ scope: "other" }) },
  { config: configWith({ client_id: "other" }) },
  { config: configWith({ resource: "https://other.example" }) },
  { config: configWith({ audience: "certificate:other" }) }
]

const withCertificate: AccessTokenRequest = {
  serverName: "remote",
  config: configWith({ use_mtls: true, client_cert_path: "/client.pem", client_key_path: "/client.key" })
}

const personalKeys = {
  grant_type: "authorization_code",
  authorization_url: "https://auth.example/authorize",
  redirect_uri: "http://127.0.0.1/callback"
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe("OAuthService.getAccessToken", () => {
  it.effect("obtains a token once and then serves it from the cache", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const first = yield* oauth.getAccessToken(request)
      const second = yield* oauth.getAccessToken({ ...request })
      assert.deepStrictEqual([first.source, second.source], ["acquired", "cache"])
      assert.strictEqual(Redacted.value(second.token.accessToken), "token-1")
      assert.lengthOf(ports.acquired, 1)
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("requests what the configuration names, with the defaults of the keys", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      yield* oauth.getAccessToken({ ...request, config: configWith({ token_expiry_buffer: 42 }) })
      const [asked] = ports.asked
      assert.deepInclude(asked?.key, { projectId: "default", configId: "default", serverName: "remote" })
      assert.strictEqual(asked?.key.subject, undefined)
      assert.strictEqual(asked?.expiryBufferSeconds, 42)
      assert.strictEqual(ports.acquired[0]?.serverName, "remote")
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect.each(others)("obtains another token for %j", (other) => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      yield* oauth.getAccessToken(request)
      assert.strictEqual((yield* oauth.getAccessToken({ ...request, ...other })).source, "acquired")
      assert.strictEqual((yield* oauth.getAccessToken(request)).source, "cache")
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("obtains another token when the certificate is another", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      yield* oauth.getAccessToken(withCertificate)
      ports.certificate.thumbprint = "renewed"
      assert.strictEqual((yield* oauth.getAccessToken(withCertificate)).source, "acquired")
      assert.strictEqual((yield* oauth.getAccessToken(withCertificate)).source, "cache")
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("requests connections under the name of the server", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      yield* oauth.getAccessToken({ ...request, serverName: "a" })
      assert.deepStrictEqual(ports.connected, ["a"])
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("serves the same token when the secret is rotated", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      yield* oauth.getAccessToken(request)
      const rotated = { ...request, config: configWith({ client_secret: "rotated" }) }
      assert.strictEqual((yield* oauth.getAccessToken(rotated)).source, "cache")
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("gives each acquisition one correlation id of its own", () => {
    const ports = makePorts({ acquire: refusing(new InvalidResponse({ endpoint: "e", problem: "p" })) })
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const errors = yield* Effect.forEach([1, 2, 3], () => Effect.flip(oauth.getAccessToken(request)))
      const ids = errors.map(({ correlationId }) => correlationId)
      assert.deepStrictEqual(
        ids,
        ports.acquired.map(({ correlationId }) => correlationId)
      )
      assert.strictEqual(new Set(ids).size, 3)
      for (const id of ids) assert.match(id, uuid)
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("names the server whose certificate is unusable, and requests no token", () => {
    const ports = makePorts()
    ports.certificate.usable = false
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const error = yield* Effect.flip(oauth.getAccessToken(request))
      assert.strictEqual(error.reason._tag, "CertificateUnusable")
      assert.strictEqual(error.serverName, "remote")
      assert.match(error.correlationId, uuid)
      assert.lengthOf(ports.acquired, 0)
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("shows no secret of the configuration in an error", () => {
    const secret = canary("client-secret")
    const ports = makePorts({ acquire: refusing(new InvalidResponse({ endpoint: "e", problem: "p" })) })
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const config = configWith({
        client_secret: secret,
        additional_params: { password: secret },
        custom_headers: { "X-Key": secret }
      })
      const error = yield* Effect.flip(oauth.getAccessToken({ ...request, config }))
      assertNoCanary(error, secret)
      assert.include(error.message, 'server "remote"')
      ports.certificate.usable = false
      assertNoCanary(yield* Effect.flip(oauth.getAccessToken({ ...request, config })), secret)
    }).pipe(Effect.provide(ports.layer))
  })
})

describe("OAuthService.peek", () => {
  it.effect("peek gives what getAccessToken has put into the cache, also for an equal request", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      assert.isUndefined(oauth.peek(request))
      const { token } = yield* oauth.getAccessToken(request)
      assert.strictEqual(oauth.peek(request), token)
      assert.strictEqual(oauth.peek({ ...request }), token)
      assert.lengthOf(ports.acquired, 1)
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect.each(others)("peek gives no token of another request: %j", (other) => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      yield* oauth.getAccessToken(request)
      assert.isUndefined(oauth.peek({ ...request, ...other }))
      const { token } = yield* oauth.getAccessToken({ ...request, ...other })
      assert.strictEqual(oauth.peek({ ...request, ...other }), token)
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("peek gives each person's own token, and the client's own to everybody", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const of = (config: AccessTokenRequest["config"], subject: string) => ({ ...request, config, subject })
      const persons = configWith(personalKeys)
      const { token } = yield* oauth.getAccessToken(of(persons, "ann"))
      assert.strictEqual(oauth.peek(of(persons, "ann")), token)
      assert.isUndefined(oauth.peek(of(persons, "bob")))
      const own = yield* oauth.getAccessToken(of(request.config, "ann"))
      assert.strictEqual(oauth.peek(of(request.config, "bob")), own.token)
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("peek gives nothing where the key depends on a client certificate", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      yield* oauth.getAccessToken(withCertificate)
      assert.isUndefined(oauth.peek(withCertificate))
    }).pipe(Effect.provide(ports.layer))
  })
})

describe("OAuthService.find", () => {
  it.effect("find gives the token that is kept for a request and no other, and obtains none", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      assert.isUndefined(yield* oauth.find(request))
      assert.lengthOf(ports.acquired, 0)
      const { token } = yield* oauth.getAccessToken(request)
      const asked = ports.asked.length
      assert.strictEqual(yield* oauth.find({ ...request }), token)
      assert.isUndefined(yield* oauth.find({ ...request, ...others[0] }))
      assert.lengthOf(ports.acquired, 1)
      assert.lengthOf(ports.asked, asked, "it is no use")
      assert.deepStrictEqual(ports.published, [])
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("find gives a token that was obtained with a client certificate", () => {
    const ports = makePorts()
    ports.certificate.thumbprint = "thumbprint"
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const { token } = yield* oauth.getAccessToken(withCertificate)
      assert.strictEqual(yield* oauth.find(withCertificate), token)
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("find fails with the error of the store", () => {
    const error = new OAuthError({
      operation: "find the token",
      serverName: "remote",
      correlationId: "1",
      reason: new StoreUnavailable({ problem: "away" })
    })
    return Effect.gen(function* () {
      assert.strictEqual(yield* Effect.flip((yield* OAuthService).find(request)), error)
    }).pipe(Effect.provide(makePorts({ find: Effect.fail(error) }).layer))
  })
})

describe("an error of OAuthService", () => {
  it.effect("an error of OAuthService says which operation failed", () => {
    const ports = makePorts()
    ports.certificate.usable = false
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const errors = yield* Effect.forEach(
        [oauth.getAccessToken(request), oauth.invalidate(request), oauth.revoke(request)],
        (operation) => Effect.flip(Effect.asVoid(operation))
      )
      assert.deepStrictEqual(
        errors.map(({ operation }) => operation),
        ["get an access token", "invalidate the access token", "revoke the access token"]
      )
    }).pipe(Effect.provide(ports.layer))
  })
})

describe("OAuthService.refresh", () => {
  it.effect("replaces the token and hands the old one to the flow", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      yield* oauth.getAccessToken(request)
      const { source, token } = yield* oauth.refresh(request)
      assert.strictEqual(source, "acquired")
      assert.strictEqual(Redacted.value(token.accessToken), "token-2")
      const [first, second] = ports.previous
      assert.strictEqual(first, undefined)
      assert.strictEqual(second && Redacted.value(second.accessToken), "token-1")
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("refresh replaces a refused token", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const { token } = yield* oauth.getAccessToken(request)
      const renewed = yield* oauth.refresh(request, { refused: token.accessToken })
      assert.strictEqual(Redacted.value(renewed.token.accessToken), "token-2")
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("refresh serves the token that already replaced the refused one", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const { token: old } = yield* oauth.getAccessToken(request)
      yield* oauth.refresh(request)
      const { source, token } = yield* oauth.refresh(request, { refused: old.accessToken })
      assert.strictEqual(source, "cache")
      assert.strictEqual(Redacted.value(token.accessToken), "token-2")
      assert.lengthOf(ports.acquired, 2)
    }).pipe(Effect.provide(ports.layer))
  })
})

describe("OAuthService.invalidate", () => {
  it.effect("forgets the token of this request and no other", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const other = { ...request, serverName: "other" }
      yield* oauth.getAccessToken(request)
      yield* oauth.getAccessToken(other)
      yield* oauth.invalidate(request)
      assert.strictEqual((yield* oauth.getAccessToken(other)).source, "cache")
      assert.strictEqual((yield* oauth.getAccessToken(request)).source, "acquired")
      assert.lengthOf(ports.revoked, 0)
    }).pipe(Effect.provide(ports.layer))
  })
})

describe("OAuthService.revoke", () => {
  it.effect("forgets the token, tells the authorization server and says so", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      yield* oauth.getAccessToken(request)
      assert.strictEqual(yield* oauth.revoke(request), "Revoked")
      const [revoked] = ports.revoked
      assert.strictEqual(revoked && Redacted.value(revoked.token.accessToken), "token-1")
      assert.match(revoked?.request.correlationId ?? "", uuid)
      assert.notStrictEqual(revoked?.request.correlationId, ports.acquired[0]?.correlationId)
      assert.deepStrictEqual(ports.published, [{ _tag: "TokenRevoked", serverName: "remote" }])
      assert.strictEqual((yield* oauth.getAccessToken(request)).source, "acquired")
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("a revocation names the person whose token it was", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      const of = { ...request, config: configWith(personalKeys), subject: "alice" }
      yield* oauth.getAccessToken(of)
      yield* oauth.revoke(of)
      const ownToken = { ...request, subject: "alice" }
      yield* oauth.getAccessToken(ownToken)
      yield* oauth.revoke(ownToken)
      assert.deepStrictEqual(ports.published, [
        { _tag: "TokenRevoked", serverName: "remote", subject: "alice" },
        { _tag: "TokenRevoked", serverName: "remote" }
      ])
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("forgets the token even if the server refuses, and does not call it revoked", () => {
    const ports = makePorts({ revoke: refusing(new InvalidResponse({ endpoint: "e", problem: "p" })) })
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      yield* oauth.getAccessToken(request)
      const error = yield* Effect.flip(oauth.revoke(request))
      assert.strictEqual(error.reason._tag, "InvalidResponse")
      assert.lengthOf(ports.published, 0)
      assert.strictEqual((yield* oauth.getAccessToken(request)).source, "acquired")
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("says that the server has no revocation endpoint, and does not call the token revoked", () => {
    const ports = makePorts({ revoke: () => Effect.succeed("NoRevocationEndpoint") })
    return Effect.gen(function* () {
      const oauth = yield* OAuthService
      yield* oauth.getAccessToken(request)
      assert.strictEqual(yield* oauth.revoke(request), "NoRevocationEndpoint")
      assert.lengthOf(ports.published, 0)
      assert.strictEqual((yield* oauth.getAccessToken(request)).source, "acquired")
    }).pipe(Effect.provide(ports.layer))
  })

  it.effect("does nothing when there is no token", () => {
    const ports = makePorts()
    return Effect.gen(function* () {
      assert.isUndefined(yield* (yield* OAuthService).revoke(request))
      assert.lengthOf(ports.revoked, 0)
      assert.lengthOf(ports.published, 0)
    }).pipe(Effect.provide(ports.layer))
  })
})
