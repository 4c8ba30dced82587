import { assert, describe, it } from "@effect/vitest"
import type { ClientAuthenticationMethod } from "@secure-mcp/oauth-core"
import { configuredMethod, documentedClient } from "../../src/resolution/ConfiguredClient.ts"
import { decodeConfig } from "../TestGrants.ts"

const key = "-----BEGIN PRIVATE KEY-----"
const secret = { client_secret: "s" }
const certificate = { use_mtls: true, client_cert_path: "c", client_key_path: "k" }

/** What is configured, what the server says it takes, and what we do. */
const chosen: ReadonlyArray<
  readonly [
    oauth: Readonly<Record<string, unknown>>,
    supported: ReadonlyArray<string> | undefined,
    method: ClientAuthenticationMethod
  ]
> = [
  [secret, undefined, "client_secret_basic"],
  [{ ...secret, use_basic_auth: false }, undefined, "client_secret_post"],
  [secret, ["client_secret_post"], "client_secret_post"],
  [{ ...secret, use_basic_auth: false }, ["client_secret_basic"], "client_secret_basic"],
  [secret, ["none", "client_secret_post", "client_secret_basic"], "client_secret_basic"],
  [{ ...secret, use_basic_auth: false }, ["client_secret_basic", "client_secret_post"], "client_secret_post"],
  [secret, ["private_key_jwt"], "client_secret_basic"],
  [secret, [], "client_secret_basic"],
  [{ private_key: key }, undefined, "private_key_jwt"],
  [{ private_key: key, ...secret }, ["client_secret_basic", "private_key_jwt"], "private_key_jwt"],
  [{ private_key: key, ...secret }, ["client_secret_post"], "client_secret_post"],
  [{ private_key: key, ...secret }, undefined, "private_key_jwt"],
  [certificate, undefined, "tls_client_auth"],
  [certificate, ["self_signed_tls_client_auth"], "self_signed_tls_client_auth"],
  [{ ...certificate, ...secret }, ["tls_client_auth", "client_secret_post"], "client_secret_post"],
  [{}, undefined, "none"],
  [{}, ["client_secret_basic"], "none"],
  [
    { ...secret, token_endpoint_auth_method: "client_secret_post" },
    ["client_secret_basic"],
    "client_secret_post"
  ],
  [{ ...secret, token_endpoint_auth_method: "none" }, ["client_secret_basic"], "none"]
]

const decode = (oauth: Readonly<Record<string, unknown>>) =>
  decodeConfig({ grant_type: "authorization_code", client_secret: undefined, enforce_https: true, ...oauth })

const metadata = (supported: ReadonlyArray<string> | undefined) => ({
  issuer: "https://as.example",
  tokenEndpoint: "https://as.example/token",
  ...(supported === undefined ? {} : { tokenEndpointAuthMethodsSupported: supported })
})

describe("how a configured client authenticates", () => {
  it.each(chosen)(
    "a client with %j at a server that supports %j authenticates by %s",
    (oauth, supported, method) => {
      assert.strictEqual(configuredMethod(decode(oauth), metadata(supported)), method)
    }
  )

  it("a client known by its document never uses a secret", () => {
    const url = "https://gateway.example/client.json"
    const methodOf = (oauth: Readonly<Record<string, unknown>>, supported?: ReadonlyArray<string>) =>
      documentedClient(decode(oauth), url, "https://as.example", metadata(supported)).authenticationMethod
    assert.strictEqual(methodOf(secret, ["client_secret_basic"]), "none")
    assert.strictEqual(methodOf({ private_key: key }, ["private_key_jwt", "none"]), "private_key_jwt")
    assert.strictEqual(methodOf({ private_key: key }, ["none"]), "none")
    const selfSigned = {
      ...certificate,
      client_id: "c",
      token_endpoint_auth_method: "self_signed_tls_client_auth"
    }
    assert.strictEqual(methodOf(selfSigned), "self_signed_tls_client_auth")
  })
})
