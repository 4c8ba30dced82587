import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { discoveredRequest, makeResolutionOn, metadataOf } from "../TestResolution.ts"

const client = { client_id: "gateway" }
const issuer = "https://as.example"

describe("discovery with a client certificate", () => {
  const alias = "https://mtls.as.example/token"
  const certificate = { use_mtls: true, client_cert_path: "c.pem", client_key_path: "c.key" }
  const documents = (aliases: object) => ({
    [`${issuer}/.well-known/oauth-authorization-server`]: {
      ...metadataOf(issuer),
      mtls_endpoint_aliases: aliases
    }
  })

  it.effect("mtls_endpoint_aliases are used with a certificate, and not without one (RFC 8705 §5)", () =>
    Effect.gen(function* () {
      const { targets } = yield* makeResolutionOn(documents({ token_endpoint: alias }))
      const presented = yield* targets.resolve(
        discoveredRequest(undefined, { ...client, ...certificate, issuer })
      )
      assert.strictEqual(presented.tokenEndpoint.url, alias)
      assert.strictEqual(presented.revocationEndpoint?.url, `${issuer}/revoke`)
      const plainly = yield* targets.resolve(discoveredRequest(undefined, { ...client, issuer }))
      assert.strictEqual(plainly.tokenEndpoint.url, `${issuer}/token`)
    })
  )

  const others = {
    revocation_endpoint: "https://mtls.as.example/revoke",
    device_authorization_endpoint: "https://mtls.as.example/device"
  }

  it.effect(
    "mtls_endpoint_aliases hold for revocation and devices, and for a client that also has a secret",
    () =>
      Effect.gen(function* () {
        const aliases = { ...others, authorization_endpoint: "https://mtls.as.example/authorize" }
        const { targets } = yield* makeResolutionOn(documents(aliases))
        const withSecret = { ...client, ...certificate, client_secret: "s", issuer }
        const found = yield* targets.resolve(discoveredRequest(undefined, withSecret))
        assert.strictEqual(found.client.authenticationMethod, "client_secret_basic")
        assert.strictEqual(found.revocationEndpoint?.url, others.revocation_endpoint)
        assert.strictEqual(found.deviceAuthorizationEndpoint?.url, others.device_authorization_endpoint)
        // A person's browser presents no certificate of ours.
        assert.strictEqual(found.authorizationEndpoint?.url, `${issuer}/authorize`)
      })
  )

  it.effect.each(Object.keys({ ...others, registration_endpoint: "" }))(
    "an alias of the %s that is not https is not used",
    (key) =>
      Effect.gen(function* () {
        const { targets } = yield* makeResolutionOn(documents({ [key]: "http://as.example/alias" }))
        const request = discoveredRequest(undefined, { ...client, ...certificate, issuer })
        const found = yield* targets.resolve(request)
        assert.notInclude(JSON.stringify(found), "http://as.example/alias")
      })
  )

  it.effect("mtls_endpoint_aliases follow the same rules as the other endpoints", () =>
    Effect.gen(function* () {
      const { targets } = yield* makeResolutionOn(documents({ token_endpoint: "http://as.example/token" }))
      const request = discoveredRequest(undefined, { ...client, ...certificate, issuer })
      assert.include(
        (yield* Effect.flip(targets.resolve(request))).message,
        "its `token_endpoint` must be https"
      )
    })
  )
})
