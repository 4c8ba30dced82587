import { assert, describe, it } from "@effect/vitest"
import { decodeOAuthConfig, OAuthConfig, oauthConfigKeys, type ConfigResult } from "@secure-mcp/oauth-core"
import { formatProblem } from "@secure-mcp/oauth-core/internal"
import { assertNoCanary, canary } from "@secure-mcp/testing"
import * as Equal from "effect/Equal"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { clientCredentials, wireConfigs } from "./WireConfig.ts"

const problemsOf = (result: ConfigResult<unknown>): ReadonlyArray<string> =>
  Result.isFailure(result) ? result.failure.problems.map((problem) => formatProblem(problem).trim()) : []

const decode = (input: unknown) => Result.getOrThrow(decodeOAuthConfig(input))
const encode = Schema.encodeSync(OAuthConfig)

describe("OAuthConfig", () => {
  it("fills in the defaults", () => {
    assert.deepStrictEqual(encode(decode(clientCredentials)), {
      ...clientCredentials,
      enabled: false,
      version: "2.0",
      grant_type: "client_credentials",
      use_pkce: false,
      code_challenge_method: "S256",
      token_expiry_buffer: 300,
      use_basic_auth: true,
      enforce_https: true,
      token_in_header_only: true,
      token_env: "ENKRYPT_ACCESS_TOKEN",
      scope_separator: " ",
      scope_on_refresh: false,
      offline_access: true,
      issuer_mismatch: "refuse",
      registration: {},
      basic_encoding: "form",
      authorize_params: {},
      use_mtls: false,
      validate_scopes: true,
      additional_params: {},
      custom_headers: {}
    })
  })

  it("has every key, those of a person's grant included", () => {
    assert.sameMembers(
      [...oauthConfigKeys],
      (
        "enabled provider version grant_type token_url client_id client_secret audience organization scope resource " +
        "use_pkce authorization_url redirect_uri state code_verifier code_challenge code_challenge_method " +
        "token_expiry_buffer use_basic_auth enforce_https token_in_header_only use_mtls client_cert_path " +
        "client_key_path client_pkcs12_path client_key_passphrase ca_bundle_path revocation_url introspection_url validate_scopes additional_params custom_headers " +
        "default_expires_in token_env issuer client_metadata_url client_name token_endpoint_auth_method " +
        "private_key private_key_alg private_key_id device_authorization_url assertion identity_provider " +
        "subject_token subject_token_type actor_token actor_token_type requested_token_type issuer_mismatch registration basic_encoding " +
        "offline_access scope_separator scope_on_refresh authorize_params"
      ).split(" ")
    )
  })

  it("decodes to names of the code, with secrets redacted", () => {
    const secret = canary("secret")
    const config = decode({
      ...clientCredentials,
      client_secret: secret,
      state: secret,
      code_verifier: `${secret}-${secret}`,
      additional_params: { text: secret, number: 3, flag: true },
      custom_headers: { "X-Key": secret }
    })
    assert.strictEqual(config.tokenUrl, clientCredentials.token_url)
    assert.strictEqual(config.clientSecret && Redacted.value(config.clientSecret), secret)
    assert.deepStrictEqual(
      Object.entries(config.additionalParams).map(([name, value]) => [name, Redacted.value(value)]),
      [
        ["text", secret],
        ["number", 3],
        ["flag", true]
      ]
    )
    assertNoCanary(config, secret)
  })

  it("keeps a resource byte for byte", () => {
    const resource = "HTTPS://API.example.com:443/a/../b?x=%7e"
    assert.strictEqual(decode({ ...clientCredentials, resource }).resource, resource)
  })

  it("checks the rules when used as a schema, too", () => {
    const decoded = Schema.decodeResult(OAuthConfig)({
      ...clientCredentials,
      token_url: "http://auth.example/token"
    })
    assert.include(Result.isFailure(decoded) ? decoded.failure.message : "", "must be https")
  })

  it("survives encoding and decoding", () => {
    fc.assert(
      fc.property(wireConfigs, (wire) => {
        const config = decode(wire)
        assert.isTrue(Equal.equals(decode(encode(config)), config))
        assert.isTrue(Equal.equals(Schema.decodeSync(OAuthConfig)(encode(config)), config))
        assert.deepInclude(encode(config), wire)
      })
    )
  })
})

describe("decodeOAuthConfig", () => {
  it.each([null, undefined, "text", 7, [clientCredentials]])("refuses %j, which is no object", (input) => {
    assert.deepStrictEqual(problemsOf(decodeOAuthConfig(input)), ["(root): must be a JSON object"])
  })

  it("reports unknown keys, wrong types and broken rules at once", () => {
    assert.deepStrictEqual(
      problemsOf(
        decodeOAuthConfig({
          version: "2.1",
          tokenUrl: "https://auth.example/token",
          token_expiry_buffer: "300",
          token_in_header_only: false,
          client_id: "gateway",
          scope: "a,b  c",
          additional_params: { good: "yes", bad: ["no"] },
          custom_headers: { Host: "example.com" }
        })
      ),
      [
        "tokenUrl: unknown key: did you mean `token_url`?",
        "token_expiry_buffer: Expected number",
        "additional_params.bad: Expected string | number | boolean",
        "client_secret: required for client_credentials, unless `use_mtls` or `private_key` authenticates the client",
        "scope: must be scope names separated by single spaces (RFC 6749 §3.3)",
        "token_in_header_only: must be true: a token is sent in a header only, because a URL ends up in logs (RFC 6750 §5.3)",
        "custom_headers.Host: is set by the protocol and cannot be configured"
      ]
    )
  })

  it("reports one problem for each field", () => {
    assert.deepStrictEqual(problemsOf(decodeOAuthConfig({ ...clientCredentials, token_url: 5 })), [
      "token_url: Expected string"
    ])
  })

  it.each([
    ["token_ur", "token_url"],
    ["client-id", "client_id"],
    ["clientSecret", "client_secret"],
    ["enforce_http", "enforce_https"],
    ["use_mtsl", "use_mtls"],
    ["scopes", "scope"]
  ])("the unknown key %s gets the suggestion %s", (written, meant) => {
    assert.deepStrictEqual(problemsOf(decodeOAuthConfig({ ...clientCredentials, [written]: "x" })), [
      `${written}: unknown key: did you mean \`${meant}\`?`
    ])
  })

  it("suggests nothing for a key that resembles none", () => {
    assert.deepStrictEqual(problemsOf(decodeOAuthConfig({ ...clientCredentials, colour: "red" })), [
      "colour: unknown key"
    ])
  })

  it("a key of megabytes is an unknown key like any other", () => {
    const key = "x".repeat(8_000_000)
    assert.deepStrictEqual(problemsOf(decodeOAuthConfig({ ...clientCredentials, [key]: "red" })), [
      `${key}: unknown key`
    ])
  })

  it("names refresh_token as what it is", () => {
    assert.deepStrictEqual(
      problemsOf(decodeOAuthConfig({ ...clientCredentials, grant_type: "refresh_token" })),
      ["grant_type: Unsupported grant type: refresh_token"]
    )
  })

  const secret = canary("value")
  const misplaced = [
    secret,
    `${secret}\n`,
    `http://user:${secret}@host/#x`,
    [secret],
    { x: secret },
    { x: [secret] }
  ]
  it.each(oauthConfigKeys.filter((key) => key !== "grant_type"))("never quotes the value of %s", (key) => {
    for (const value of misplaced) {
      const result = decodeOAuthConfig({
        client_secret: secret,
        version: "2.1",
        token_expiry_buffer: -1,
        [key]: value
      })
      assert.isTrue(Result.isFailure(result))
      assertNoCanary(Result.isFailure(result) ? result.failure : "", secret)
    }
  })
})
