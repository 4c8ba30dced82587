import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { type AskedFor, type Client, grantedClient, grantedRegistration } from "../../src/client/Client.ts"

const client = (fields: Partial<Client> = {}): Client => ({
  clientId: "client",
  clientSecret: undefined,
  clientSecretExpiresAt: undefined,
  authenticationMethod: "client_secret_post",
  audience: "https://auth.example.com",
  source: "configured",
  ...fields
})

const asked = (fields: Partial<AskedFor> = {}): AskedFor => ({
  issuer: undefined,
  resource: undefined,
  scope: undefined,
  tokenEndpoint: { url: "https://auth.example.com/token", discovered: false },
  revocationEndpoint: undefined,
  ...fields
})

const tokenEndpoint = Redacted.make("https://auth.example.com/token")
const secret = Redacted.make("the-secret")

describe("what a token remembers of its client", () => {
  it("a grant at configured endpoints remembers the client and the token endpoint", () => {
    assert.deepStrictEqual(grantedClient(client({ clientSecret: secret }), asked()), {
      tokenEndpoint,
      clientId: "client"
    })
  })

  it("a grant at discovered endpoints remembers the issuer, the request and how the client authenticates", () => {
    const endpoints = {
      tokenEndpoint: { url: "https://auth.example.com/token", discovered: true },
      revocationEndpoint: { url: "https://auth.example.com/revoke" }
    }
    const request = { issuer: "https://auth.example.com", resource: "https://mcp", scope: "a b" }
    assert.deepStrictEqual(
      grantedClient(client({ clientSecret: secret }), asked({ ...request, ...endpoints })),
      {
        ...request,
        tokenEndpoint,
        revocationEndpoint: Redacted.make("https://auth.example.com/revoke"),
        clientId: "client",
        tokenEndpointAuthMethod: "client_secret_post"
      }
    )
  })

  it("the grant of a registered client remembers its secret and when that expires", () => {
    const registered = client({ source: "registered", clientSecret: secret, clientSecretExpiresAt: 5000 })
    const registration = {
      clientSecret: secret,
      clientSecretExpiresAt: 5000,
      tokenEndpointAuthMethod: "client_secret_post"
    } as const
    assert.deepStrictEqual(grantedClient(registered, asked()), {
      tokenEndpoint,
      clientId: "client",
      ...registration
    })
    assert.deepStrictEqual(grantedRegistration(registered, "https://auth.example.com"), {
      issuer: "https://auth.example.com",
      clientId: "client",
      ...registration
    })
  })

  it("the grant of a registered client without a secret remembers none", () => {
    const registered = client({ source: "registered", authenticationMethod: "none" })
    assert.deepStrictEqual(grantedRegistration(registered, "https://auth.example.com"), {
      issuer: "https://auth.example.com",
      clientId: "client",
      tokenEndpointAuthMethod: "none"
    })
  })
})
