import { assert, describe, it } from "@effect/vitest"
import type { OAuthConfig } from "@secure-mcp/oauth-core"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { authenticateClient } from "../../src/client/ClientAuthentication.ts"
import { readPrivateKey } from "../../src/client/PrivateKey.ts"
import { configuredClient } from "../../src/resolution/ConfiguredClient.ts"
import { decodeConfig, makeGrants, requestFor } from "../TestGrants.ts"

const sentWith = Effect.fnUntraced(function* (oauth: Readonly<Record<string, unknown>>) {
  const server = yield* StubAuthorizationServer.make()
  yield* server.always("/token", Answer.token())
  const grants = yield* makeGrants()
  yield* grants.acquire(requestFor({ token_url: server.endpoint("/token"), ...oauth }), undefined)
  const [request] = yield* server.received(1)
  assert(request !== undefined)
  return request
})

/** As the configuration alone has it. */
const authenticate = (config: OAuthConfig) =>
  Effect.flatMap(configuredClient(config, "https://as.example.com", undefined), (client) =>
    authenticateClient(client, readPrivateKey(config))
  )

const formDecode = (value: string) => new URLSearchParams(`v=${value}`).get("v")

describe("client authentication", () => {
  it.effect("client_secret_basic form-urlencodes both, and repeats neither in the body", () =>
    Effect.gen(function* () {
      const request = yield* sentWith({ client_id: "a:b c", client_secret: "p&ss:w%rd/ü" })
      const credentials = Buffer.from("a%3Ab+c:p%26ss%3Aw%25rd%2F%C3%BC").toString("base64")
      assert.strictEqual(request.headers.authorization, `Basic ${credentials}`)
      assert.isFalse(request.form.has("client_id"))
      assert.isFalse(request.form.has("client_secret"))
    })
  )

  it.effect("client_secret_post sends both in the body and no Authorization header", () =>
    Effect.gen(function* () {
      const request = yield* sentWith({
        client_id: "a:b c",
        client_secret: "p&ss:w%rd/ü",
        use_basic_auth: false
      })
      assert.isUndefined(request.headers.authorization)
      assert.deepStrictEqual(request.form.getAll("client_id"), ["a:b c"])
      assert.deepStrictEqual(request.form.getAll("client_secret"), ["p&ss:w%rd/ü"])
    })
  )

  const withoutSecret = [
    [
      "a certificate client",
      {
        client_secret: undefined,
        use_mtls: true,
        client_cert_path: "cert.pem",
        client_key_path: "key.pem",
        token_url: "https://as.example.com/token"
      }
    ],
    ["a public client", { client_secret: undefined, grant_type: "authorization_code" }]
  ] as const

  it.effect.each(withoutSecret)("%s sends its client_id in the body", ([, oauth]) =>
    Effect.gen(function* () {
      const authentication = yield* authenticate(decodeConfig(oauth))
      assert.deepStrictEqual(authentication, { headers: {}, parameters: { client_id: "gateway" } })
    })
  )

  it.effect("without a client_id there is nothing to authenticate", () =>
    Effect.gen(function* () {
      const config = decodeConfig({ grant_type: "authorization_code", client_id: undefined })
      const reason = yield* Effect.flip(authenticate(config))
      assert.strictEqual(reason.message, "`client_id` is not configured")
    })
  )

  it("client_secret_basic encodes any id and secret so that they decode to the same", () => {
    const text = fc.string({ unit: "binary", minLength: 1 })
    fc.assert(
      fc.property(text, text, (clientId, clientSecret) => {
        const config = decodeConfig({
          token_url: "https://as.example.com/token",
          client_id: clientId,
          client_secret: clientSecret
        })
        const { headers } = Effect.runSync(authenticate(config))
        assert(headers["authorization"] !== undefined)
        const [scheme, credentials = ""] = Redacted.value(headers["authorization"]).split(" ")
        const [id = "", secret = "", ...more] = Buffer.from(credentials, "base64").toString().split(":")
        assert.deepStrictEqual(
          [scheme, formDecode(id), formDecode(secret), more],
          ["Basic", clientId, clientSecret, []]
        )
      })
    )
  })
})
