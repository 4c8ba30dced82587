import { assert, describe, it } from "@effect/vitest"
import { decodeOAuthConfig, OAuthHttp, type OAuthConfig } from "@secure-mcp/oauth-core"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { clientCredentials } from "./WireConfig.ts"

const configWith = (keys: object): OAuthConfig =>
  Result.getOrThrow(decodeOAuthConfig({ ...clientCredentials, ...keys }))

const overFetch = OAuthHttp.layer.pipe(Layer.provide(FetchHttpClient.layer))

/** A client that must not be used. */
const forbidden = OAuthHttp.layer.pipe(
  Layer.provide(
    Layer.succeed(
      HttpClient.HttpClient,
      HttpClient.make(() => Effect.die("a request was sent"))
    )
  )
)

describe("OAuthHttp.layer", () => {
  it.effect.each([
    {
      key: "use_mtls",
      keys: { use_mtls: true, client_cert_path: "client.pem", client_key_path: "client.key" }
    },
    { key: "ca_bundle_path", keys: { ca_bundle_path: "ca.pem" } }
  ])("the layer fails for the unsupported key $key before any request", ({ key, keys }) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip((yield* OAuthHttp).connection(configWith(keys)))
      assert.strictEqual(error._tag, "CertificateUnusable")
      assert.strictEqual(error.key, key)
      assert.include(error.message, "@secure-mcp/mtls")
    }).pipe(Effect.provide(forbidden))
  )

  it.effect.each([301, 302, 303, 307, 308] as const)("does not follow a %i with fetch", (status) =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      const other = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.redirect(other.endpoint("/token"), status))
      yield* other.always("/token", Answer.token())
      const { certificateThumbprint, client } = yield* (yield* OAuthHttp).connection(configWith({}))
      const response = yield* client.post(server.endpoint("/token"))
      assert.strictEqual(response.status, status)
      assert.lengthOf(yield* other.requests, 0)
      assert.strictEqual(certificateThumbprint, undefined)
    }).pipe(Effect.provide(overFetch))
  )

  it.effect("passes other answers through", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.token({ access_token: "granted" }))
      const { client } = yield* (yield* OAuthHttp).connection(configWith({}))
      const response = yield* client.post(server.endpoint("/token"))
      assert.deepInclude(yield* response.json, { access_token: "granted" })
    }).pipe(Effect.provide(overFetch))
  )
})
