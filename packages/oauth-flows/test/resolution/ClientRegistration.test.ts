import { assert, describe, it } from "@effect/vitest"
import { OAuthToken } from "@secure-mcp/oauth-core"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { createPublicKey, generateKeyPairSync } from "node:crypto"
import { grantedClient } from "../../src/client/Client.ts"
import { clientMetadata } from "../../src/resolution/ClientRegistration.ts"
import { belongsTo } from "../../src/resolution/GrantTarget.ts"
import { decodeConfig } from "../TestGrants.ts"
import {
  discoveredRequest,
  makeGrantTargets,
  makeServers,
  metadataOf,
  plain,
  redirectUri,
  serveRegistration
} from "../TestResolution.ts"

const begin = { redirectUri }

const tokenOf = (target: Parameters<typeof belongsTo>[1]) =>
  new OAuthToken({
    accessToken: Redacted.make("access"),
    tokenType: "Bearer",
    issuedAt: 0,
    reusable: true,
    grantedTo: grantedClient(target.client, target)
  })

const bodiesOf = (as: StubAuthorizationServer) =>
  Effect.map(as.requestsTo("/register"), (requests) =>
    requests.map(({ body }): Record<string, unknown> => JSON.parse(body))
  )

describe("a registration", () => {
  const kinds = [
    ["http://127.0.0.1:1/cb", "native", ["none", "client_secret_basic"], "none"],
    ["http://[::1]:1/cb", "native", ["client_secret_post"], "client_secret_post"],
    ["http://localhost/cb", "native", ["private_key_jwt"], "none"],
    ["com.example.app:/cb", "native", ["none"], "none"],
    ["https://gateway.example/cb", "web", ["none", "client_secret_basic"], "client_secret_basic"],
    ["https://gateway.example/cb", "web", ["none"], "none"],
    // A native client may be sent back to its own machine over plain http only.
    ["https://127.0.0.1:1/cb", "web", ["none", "client_secret_basic"], "client_secret_basic"],
    ["https://localhost.example/cb", "web", undefined, "client_secret_basic"]
  ] as const

  it.effect.each(kinds)(
    "a registration for %s is %s and, where the server supports %j, requests %s",
    ([uri, type, supported, method]) =>
      Effect.gen(function* () {
        const { as, resourceUrl } = yield* makeServers({
          metadata: { token_endpoint_auth_methods_supported: supported }
        })
        yield* serveRegistration(as)
        const targets = yield* makeGrantTargets()
        yield* targets.resolve(discoveredRequest(resourceUrl), { redirectUri: uri })
        const [body] = yield* bodiesOf(as)
        assert.deepInclude(body, { application_type: type, token_endpoint_auth_method: method })
        assert.deepStrictEqual(body?.["redirect_uris"], [uri])
      })
  )

  it.effect("a registration requests the configured authentication method, with its public key", () =>
    Effect.gen(function* () {
      const { privateKey, publicKey } = generateKeyPairSync("ed25519")
      const { as, resourceUrl } = yield* makeServers()
      yield* serveRegistration(as, () => ({ client_id: "c", token_endpoint_auth_method: "private_key_jwt" }))
      const targets = yield* makeGrantTargets()
      const request = discoveredRequest(resourceUrl, {
        token_endpoint_auth_method: "private_key_jwt",
        private_key: privateKey.export({ format: "pem", type: "pkcs8" }),
        private_key_id: "key-1"
      })
      const { client } = yield* targets.resolve(request, begin)
      assert.strictEqual(client.authenticationMethod, "private_key_jwt")
      const [body] = yield* bodiesOf(as)
      const jwk = { ...publicKey.export({ format: "jwk" }), alg: "EdDSA", use: "sig", kid: "key-1" }
      assert.deepStrictEqual(body?.["jwks"], { keys: [jwk] })
      assert.isTrue(createPublicKey({ key: jwk, format: "jwk" }).equals(publicKey))
    })
  )

  const bindings = [
    [true, true, true],
    [true, false, undefined],
    [true, undefined, undefined],
    [false, true, undefined]
  ] as const

  it.effect.each(bindings)(
    "a registration with a certificate (%s) at a server that offers it (%s) requests bound tokens: %s (RFC 8705)",
    ([use_mtls, offered, asked]) =>
      Effect.gen(function* () {
        const config = decodeConfig({
          grant_type: "authorization_code",
          client_id: undefined,
          client_secret: undefined,
          ...(use_mtls ? { use_mtls, client_cert_path: "c.pem", client_key_path: "c.key" } : {})
        })
        const metadata = {
          issuer: "https://as.example",
          tokenEndpoint: "https://as.example/token",
          ...(offered === undefined ? {} : { tlsClientCertificateBoundAccessTokens: offered })
        }
        const body: Record<string, unknown> = yield* clientMetadata(config, metadata, redirectUri, undefined)
        assert.strictEqual(body["tls_client_certificate_bound_access_tokens"], asked)
      })
  )

  it.effect("a registration for another device requests the device grant and no redirect URI", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      yield* serveRegistration(as)
      const targets = yield* makeGrantTargets()
      const request = discoveredRequest(resourceUrl, { grant_type: "device_code" })
      yield* targets.resolve(request, { device: true })
      const [body] = yield* bodiesOf(as)
      assert.deepInclude(body, { application_type: "native" })
      assert.deepStrictEqual(body?.["grant_types"], [
        "urn:ietf:params:oauth:grant-type:device_code",
        "refresh_token"
      ])
      assert.deepStrictEqual([body?.["redirect_uris"], body?.["response_types"]], [[], []])
    })
  )

  it.effect("a registration requests offline_access where the server supports it", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers({
        metadata: { scopes_supported: ["openid", "offline_access"] }
      })
      yield* serveRegistration(as)
      const targets = yield* makeGrantTargets()
      const { scope } = yield* targets.resolve(discoveredRequest(resourceUrl, { scope: "a" }), begin)
      assert.strictEqual(scope, "a offline_access")
      assert.strictEqual((yield* bodiesOf(as))[0]?.["scope"], "a offline_access")
    })
  )

  it.effect("a registration asks for no grant that the server does not list", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers({
        metadata: { grant_types_supported: ["authorization_code"] }
      })
      yield* serveRegistration(as)
      const targets = yield* makeGrantTargets()
      yield* targets.resolve(discoveredRequest(resourceUrl), begin)
      assert.deepStrictEqual((yield* bodiesOf(as))[0]?.["grant_types"], ["authorization_code"])
    })
  )

  it.effect(
    "a registration carries the members that the configuration sets, and leaves out those it refuses",
    () =>
      Effect.gen(function* () {
        const { as, resourceUrl } = yield* makeServers()
        yield* serveRegistration(as)
        const targets = yield* makeGrantTargets()
        const registration = {
          scope: false,
          client_name: "Codex",
          contacts: ["a@b.example"],
          software_id: "x",
          response_types: false
        }
        yield* targets.resolve(discoveredRequest(resourceUrl, { scope: "a", registration }), begin)
        const [body = {}] = yield* bodiesOf(as)
        assert.notProperty(body, "scope")
        assert.notProperty(body, "response_types")
        assert.deepInclude(body, { client_name: "Codex", contacts: ["a@b.example"], software_id: "x" })
        assert.deepStrictEqual(body["redirect_uris"], [redirectUri])
      })
  )

  it.effect.each([401, 403])(
    "a registration that is refused with %d says that a client has to be configured",
    (status) =>
      Effect.gen(function* () {
        const { as, resourceUrl } = yield* makeServers()
        yield* as.always("/register", Answer.text("Forbidden", { status }))
        const targets = yield* makeGrantTargets()
        const reason = yield* Effect.flip(targets.resolve(discoveredRequest(resourceUrl), begin))
        assert.strictEqual(plain(reason)["_tag"], "RequestRefused")
        assert.match(reason.message, /only clients that it knows.*`client_id` and `client_secret`/)
      })
  )

  const withoutMethod = [
    ["client_secret_post", { client_secret: "s" }, "client_secret_post"],
    ["client_secret_basic", { client_secret: "s" }, "client_secret_basic"],
    ["none", {}, "none"],
    ["client_secret_post", {}, "none"]
  ] as const
  it.effect.each(withoutMethod)(
    "a registration for %s that is answered without a method, with %j, authenticates with %s",
    ([listed, answer, method]) =>
      Effect.gen(function* () {
        const { as, resourceUrl } = yield* makeServers({
          metadata: { token_endpoint_auth_methods_supported: [listed] }
        })
        yield* serveRegistration(as, () => ({ client_id: "c", ...answer }))
        const targets = yield* makeGrantTargets()
        const { client } = yield* targets.resolve(discoveredRequest(resourceUrl), begin)
        assert.strictEqual(client.authenticationMethod, method)
      })
  )

  const answers = [
    [{ client_id: "c" }, "none", undefined],
    [{ client_id: "c", client_secret: "s" }, "client_secret_basic", "s"],
    [{ client_id: "c", client_secret: "s", client_secret_expires_at: 0 }, "client_secret_basic", "s"],
    [
      { client_id: "c", client_secret: "s", token_endpoint_auth_method: "client_secret_post" },
      "client_secret_post",
      "s"
    ],
    [{ client_id: "c", client_secret: "s", token_endpoint_auth_method: "none" }, "none", "s"],
    [{ client_id: "c", client_secret: null, token_endpoint_auth_method: "none" }, "none", undefined]
  ] as const

  it.effect.each(answers)("a registration answered with %j authenticates by %s", ([answer, method, secret]) =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      yield* serveRegistration(as, () => answer)
      const targets = yield* makeGrantTargets()
      const { client } = yield* targets.resolve(discoveredRequest(resourceUrl), begin)
      assert.strictEqual(client.authenticationMethod, method)
      assert.strictEqual(client.clientSecret && Redacted.value(client.clientSecret), secret)
    })
  )

  const unusable = [
    [Answer.json({ client_secret: "s" }), "InvalidResponse", "it has no `client_id`"],
    [Answer.json({ client_id: 5 }), "InvalidResponse", "its `client_id` is not text"],
    [
      Answer.json({ client_id: "c", token_endpoint_auth_method: "client_secret_jwt" }),
      "InvalidResponse",
      "none that is known here"
    ],
    [
      Answer.json({ client_id: "c", token_endpoint_auth_method: "client_secret_post" }),
      "InvalidResponse",
      "it has no `client_secret`"
    ],
    [Answer.text("<html>"), "InvalidResponse", "HTML"],
    [Answer.redirect("https://elsewhere.example"), "RedirectRefused", "is not followed"],
    [
      Answer.json({ error: "invalid_redirect_uri", error_description: "no loopback here" }, { status: 400 }),
      "RequestRefused",
      "invalid_redirect_uri: no loopback here"
    ]
  ] as const

  it.effect.each(unusable)("a registration answered with %j is refused: %s", ([answer, tag, message]) =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      yield* as.always("/register", answer)
      const targets = yield* makeGrantTargets()
      const reason = yield* Effect.flip(targets.resolve(discoveredRequest(resourceUrl), begin))
      assert.strictEqual(plain(reason)["_tag"], tag)
      assert.include(reason.message, message)
      assert.lengthOf(yield* as.requestsTo("/register"), 1, "and is not repeated")
    })
  )

  it.effect("many simultaneous requests make one registration, which is reused", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      yield* serveRegistration(as)
      const targets = yield* makeGrantTargets()
      const resolve = (subject: string) =>
        targets.resolve({ ...discoveredRequest(resourceUrl), subject }, begin)
      const found = yield* Effect.all(
        Array.from({ length: 50 }, (_, index) => resolve(`user-${index}`)),
        { concurrency: "unbounded" }
      )
      yield* TestClock.adjust("365 days")
      yield* resolve("later")
      assert.strictEqual(new Set(found.map(({ client }) => client.clientId)).size, 1)
      assert.lengthOf(yield* as.requestsTo("/register"), 1)
    })
  )

  it.effect(
    "another redirect URI, or a client that the server no longer knows, makes a new registration",
    () =>
      Effect.gen(function* () {
        const { as, resourceUrl } = yield* makeServers()
        yield* serveRegistration(as)
        const targets = yield* makeGrantTargets()
        const request = discoveredRequest(resourceUrl)
        const first = yield* targets.resolve(request, begin)
        const other = yield* targets.resolve(request, { redirectUri: "http://127.0.0.1:4000/oauth/callback" })
        assert.deepStrictEqual([first.client.clientId, other.client.clientId], ["client-1", "client-2"])
        yield* targets.forget(first)
        assert.strictEqual((yield* targets.resolve(request, begin)).client.clientId, "client-3")
        assert.strictEqual((yield* targets.resolve(request, begin)).client.clientId, "client-3")
      })
  )

  it.effect("a registration whose secret has expired is made again", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      yield* serveRegistration(as, (count) => ({
        client_id: `client-${count}`,
        client_secret: "s",
        client_secret_expires_at: count * 100
      }))
      const targets = yield* makeGrantTargets()
      const request = discoveredRequest(resourceUrl)
      const first = yield* targets.resolve(request, begin)
      yield* TestClock.setTime(99_000)
      assert.strictEqual((yield* targets.resolve(request, begin)).client.clientId, "client-1")
      const options = { previous: tokenOf(first) }
      assert.isTrue(belongsTo(options.previous, yield* targets.resolve(request, options)))
      yield* TestClock.setTime(100_000)
      assert.strictEqual((yield* targets.resolve(request, begin)).client.clientId, "client-2")
      const reason = yield* Effect.flip(targets.resolve(request, options))
      assert.deepStrictEqual(plain(reason), { _tag: "AuthorizationRequired" })
    })
  )

  it.effect("a registered client survives a restart with its token, secret and authentication method", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      yield* serveRegistration(as, () => ({
        client_id: "c",
        client_secret: "s",
        token_endpoint_auth_method: "client_secret_post"
      }))
      const before = yield* makeGrantTargets()
      const request = discoveredRequest(resourceUrl)
      const first = yield* before.resolve(request, begin)
      const after = yield* makeGrantTargets()
      const again = yield* after.resolve(request, { previous: tokenOf(first) })
      assert.deepStrictEqual(again.client, first.client)
      assert.isTrue(belongsTo(tokenOf(first), again))
      assert.lengthOf(yield* as.requestsTo("/register"), 1)
    })
  )

  it.effect("a registered client and its tokens are never used at another issuer", () =>
    Effect.gen(function* () {
      const { as, mcp, resourceUrl } = yield* makeServers()
      const next = yield* StubAuthorizationServer.make()
      yield* next.always("/.well-known/oauth-authorization-server", Answer.json(metadataOf(next.url)))
      for (const server of [as, next]) {
        yield* serveRegistration(server, () => ({ client_id: "same-id", client_secret: server.url }))
      }
      const targets = yield* makeGrantTargets()
      const request = discoveredRequest(resourceUrl)
      const first = yield* targets.resolve(request, begin)
      yield* mcp.always(
        "/.well-known/oauth-protected-resource/mcp",
        Answer.json({ resource: resourceUrl, authorization_servers: [next.url] })
      )
      yield* TestClock.adjust("10 minutes")
      const previous = tokenOf(first)
      const reason = yield* Effect.flip(targets.resolve(request, { previous }))
      assert.deepStrictEqual(plain(reason), { _tag: "AuthorizationRequired" })
      const second = yield* targets.resolve(request, begin)
      assert.strictEqual(second.issuer, next.url)
      assert.strictEqual(second.client.clientSecret && Redacted.value(second.client.clientSecret), next.url)
      assert.isFalse(belongsTo(previous, second))
    })
  )
})
