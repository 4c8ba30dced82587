import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { ClientCertificates, MtlsOAuthHttp } from "@secure-mcp/mtls"
import { type OAuthConfig, OAuthHttp } from "@secure-mcp/oauth-core"
import { Answer, Certificates, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import { configOf, configWith, makeMutualTls, thumbprintOf } from "./MutualTls.ts"

const TestLayer = MtlsOAuthHttp.layer.pipe(
  Layer.provide(ClientCertificates.layer),
  Layer.provideMerge(NodeServices.layer)
)

const post = Effect.fnUntraced(function* (
  config: OAuthConfig,
  url: string,
  headers: Readonly<Record<string, string>> = {}
) {
  const { client } = yield* (yield* OAuthHttp).connection(config)
  const response = yield* client.post(url, { headers })
  yield* response.arrayBuffer
  return response.status
})

const codeOf = ({ reason }: HttpClientError.HttpClientError): unknown =>
  Predicate.hasProperty(reason.cause, "code") ? reason.cause.code : undefined

/** The code of the failure of a connection. Fails when there is none. */
const refusal = <A, E extends { readonly _tag: string }, R>(
  request: Effect.Effect<A, E | HttpClientError.HttpClientError, R>
) =>
  Effect.flip(request).pipe(
    Effect.map((error) => (Predicate.isTagged(error, "HttpClientError") ? codeOf(error) : error))
  )

describe("MtlsOAuthHttp.layer", () => {
  it.effect("presents the certificate and names its thumbprint", () =>
    Effect.gen(function* () {
      const { alice, caBundlePath, server, tokenUrl } = yield* makeMutualTls
      const config = configOf(alice, caBundlePath)
      assert.strictEqual(yield* post(config, tokenUrl), 200)

      const [request] = yield* server.requests
      const { certificateThumbprint } = yield* (yield* OAuthHttp).connection(config)
      assert.strictEqual(thumbprintOf(request?.peerFingerprint256), alice.thumbprintSha256)
      assert.strictEqual(certificateThumbprint, alice.thumbprintSha256)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("never mixes the certificates of two configurations", () =>
    Effect.gen(function* () {
      const { alice, bob, caBundlePath, server, tokenUrl } = yield* makeMutualTls
      const clients = Array.from({ length: 40 }, (_, index) => (index % 3 === 0 ? alice : bob))
      yield* Effect.forEach(
        clients,
        (client) => post(configOf(client, caBundlePath), `${tokenUrl}?${client.thumbprintSha256}`),
        { concurrency: 8 }
      )

      const requests = yield* server.requests
      assert.lengthOf(requests, 40)
      for (const { peerFingerprint256, rawUrl } of requests) {
        assert.strictEqual(thumbprintOf(peerFingerprint256), rawUrl.split("?")[1])
      }
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("a request without a certificate fails at a server that requires one", () =>
    Effect.gen(function* () {
      const { caBundlePath, server, tokenUrl } = yield* makeMutualTls
      yield* Effect.flip(post(configWith({ ca_bundle_path: caBundlePath }), tokenUrl))
      assert.lengthOf(yield* server.requests, 0)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("trusts a private authority by `ca_bundle_path` alone", () =>
    Effect.gen(function* () {
      const { authority, caBundlePath } = yield* makeMutualTls
      const certificate = yield* authority.issueServer()
      const server = yield* StubAuthorizationServer.make({
        tls: { cert: certificate.certificatePem, key: certificate.privateKeyPem }
      })
      yield* server.always("/token", Answer.token())
      const config = configWith({ ca_bundle_path: caBundlePath })
      assert.strictEqual(yield* post(config, server.endpoint("/token")), 200)
      assert.strictEqual((yield* (yield* OAuthHttp).connection(config)).certificateThumbprint, undefined)
      assert.strictEqual(
        yield* refusal(post(configWith({}), server.endpoint("/token"))),
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
      )
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("refuses a server by another authority of the same name, whatever the environment says", () =>
    Effect.gen(function* () {
      const { alice, directory, server, tokenUrl } = yield* makeMutualTls
      const stranger = yield* Certificates.makeAuthority("Test CA")
      const config = configOf(alice, yield* stranger.writeTo(directory, "stranger"))
      yield* acceptAnyCertificate
      assert.strictEqual(yield* refusal(post(config, tokenUrl)), "SELF_SIGNED_CERT_IN_CHAIN")
      assert.lengthOf(yield* server.requests, 0)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("refuses a server with a certificate for another name", () =>
    Effect.gen(function* () {
      const { alice, caBundlePath, server, tokenUrl } = yield* makeMutualTls
      // The client expects the name that it sends as Host.
      const request = post(configOf(alice, caBundlePath), tokenUrl, { host: "other.example" })
      assert.strictEqual(yield* refusal(request), "ERR_TLS_CERT_ALTNAME_INVALID")
      assert.lengthOf(yield* server.requests, 0)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("sends nothing over plain http when there is a certificate to present", () =>
    Effect.gen(function* () {
      const { alice, caBundlePath } = yield* makeMutualTls
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.token())
      const url = server.endpoint("/token")
      yield* Effect.flip(post(configOf(alice, caBundlePath), url))
      assert.lengthOf(yield* server.requests, 0)
      assert.strictEqual(yield* post(configWith({}), url), 200)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("does not follow a redirect", () =>
    Effect.gen(function* () {
      const { alice, caBundlePath, server, tokenUrl } = yield* makeMutualTls
      yield* server.enqueue("/token", Answer.redirect("/elsewhere", 307))
      assert.strictEqual(yield* post(configOf(alice, caBundlePath), tokenUrl), 307)
      assert.lengthOf(yield* server.requestsTo("/elsewhere"), 0)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("gives one client to all configurations that share connections", () =>
    Effect.gen(function* () {
      const { alice, bob, caBundlePath } = yield* makeMutualTls
      const http = yield* OAuthHttp
      const { client } = yield* http.connection(configOf(alice, caBundlePath))
      assert.strictEqual((yield* http.connection(configOf(alice, caBundlePath))).client, client)
      assert.notStrictEqual((yield* http.connection(configOf(bob, caBundlePath))).client, client)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("fails instead of connecting without the certificate", () =>
    Effect.gen(function* () {
      const { alice, caBundlePath, server, tokenUrl } = yield* makeMutualTls
      const config = configOf({ ...alice, privateKeyPath: `${alice.privateKeyPath}.gone` }, caBundlePath)
      const error = yield* Effect.flip(post(config, tokenUrl))
      assert.isTrue(Predicate.isTagged(error, "CertificateUnusable"))
      assert.lengthOf(yield* server.requests, 0)
    }).pipe(Effect.provide(TestLayer))
  )
})

/** Sets the switch of Node that turns certificate checks off, until the test is over. */
const acceptAnyCertificate = Effect.acquireRelease(
  Effect.sync(() => {
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"]
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0"
    return before
  }),
  (before) =>
    Effect.sync(() => {
      if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"]
      else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before
    })
)
