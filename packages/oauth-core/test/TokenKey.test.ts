import { assert, describe, it } from "@effect/vitest"
import { decodeOAuthConfig, tokenKeyString, type OAuthConfig, type TokenKey } from "@secure-mcp/oauth-core"
import { tokenFingerprint } from "@secure-mcp/oauth-core/internal"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { clientCredentials, wireConfigs } from "./WireConfig.ts"

/** Names made of what separates and quotes names, so that two keys are near each other. */
const name = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", ":", ",", '"', "\\", "[", "]", " "), maxLength: 4 }),
  fc.constantFrom("null", "undefined", "\ud800", "\udfff", "\\ud800"),
  fc.string({ unit: "binary" })
)
const keys: fc.Arbitrary<TokenKey> = fc.record(
  {
    projectId: name,
    configId: name,
    serverName: name,
    subject: name,
    personal: fc.constant(true),
    fingerprint: name
  },
  { requiredKeys: ["projectId", "configId", "serverName", "personal", "fingerprint"] }
)

describe("tokenKeyString", () => {
  it("only equal keys have the same key string", () => {
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        assert.strictEqual(tokenKeyString({ ...a }), tokenKeyString(a))
        assert.strictEqual(tokenKeyString(a) === tokenKeyString(b), Equal.equals(a, b))
      }),
      { numRuns: 1000 }
    )
  })

  it("the key string separates each name from the next", () => {
    const cut = fc.nat({ max: 8 })
    fc.assert(
      fc.property(name, cut, cut, (text, first, second) => {
        const cutAt = (index: number): TokenKey => ({
          projectId: text.slice(0, index),
          configId: text.slice(index),
          serverName: "server",
          personal: true,
          fingerprint: ""
        })
        const [a, b] = [cutAt(first), cutAt(second)]
        assert.strictEqual(tokenKeyString(a) === tokenKeyString(b), Equal.equals(a, b))
      }),
      { numRuns: 1000 }
    )
  })

  it.each<readonly [a: Partial<TokenKey>, b: Partial<TokenKey>]>([
    [
      { projectId: "a:b", configId: "c" },
      { projectId: "a", configId: "b:c" }
    ],
    [
      { projectId: 'a","b', configId: "c" },
      { projectId: "a", configId: 'b","c' }
    ],
    [{ subject: "null" }, {}],
    [{ subject: "" }, {}],
    [{ subject: "alice" }, { subject: "Alice" }]
  ])("the key %j differs from %j", (a, b) => {
    const rest = { projectId: "p", configId: "c", serverName: "s", personal: true, fingerprint: "f" }
    assert.notStrictEqual(tokenKeyString({ ...rest, ...a }), tokenKeyString({ ...rest, ...b }))
  })

  it("the key string is the same as in earlier versions, which did not record who granted the token", () => {
    const key = { projectId: "p", configId: "c", serverName: "s", subject: "alice", fingerprint: "f" }
    for (const personal of [true, false])
      assert.strictEqual(tokenKeyString({ ...key, personal }), '["p","c","s","alice","f"]')
  })
})

const decode = (wire: object): OAuthConfig => Result.getOrThrow(decodeOAuthConfig(wire))
const fingerprint = (wire: object, thumbprint?: string): Promise<string> =>
  tokenFingerprint(decode(wire), thumbprint).pipe(Effect.provide(Digest.layerWebCrypto), Effect.runPromise)

const tokenExchange = { grant_type: "token_exchange", subject_token: "alice", subject_token_type: "urn:b" }
const identityProvider = (keys: object) => ({
  grant_type: "jwt_bearer",
  identity_provider: {
    token_url: "https://idp.example/token",
    client_id: "gateway",
    subject_token: "alice",
    ...keys
  }
})

const reversed = (record: object): object => Object.fromEntries(Object.entries(record).toReversed())

describe("tokenFingerprint", () => {
  it("the fingerprint is SHA-256 in hex", async () => {
    assert.match(await fingerprint(clientCredentials), /^[0-9a-f]{64}$/)
  })

  it("stays the same from release to release, so that stored tokens are found", async () => {
    assert.strictEqual(
      await fingerprint(clientCredentials),
      "cfbb8f6b3efcf77123066ebf374fa822e6ffc9a26c20848a515eeb25b921c209"
    )
  })

  it("the fingerprint does not depend on the order of the values", async () => {
    await fc.assert(
      fc.asyncProperty(wireConfigs, fc.option(name, { nil: undefined }), async (wire, thumbprint) => {
        const { additional_params = {}, custom_headers = {} } = wire
        const shuffled = reversed({
          ...wire,
          additional_params: reversed(additional_params),
          custom_headers: reversed(custom_headers)
        })
        assert.strictEqual(await fingerprint(shuffled, thumbprint), await fingerprint(wire, thumbprint))
      })
    )
  })

  it.each([
    "token_url",
    "authorization_url",
    "client_id",
    "scope",
    "audience",
    "organization",
    "resource"
  ] as const)("the fingerprint differs by %s", async (key) => {
    await fc.assert(
      fc.asyncProperty(wireConfigs, wireConfigs, async (wire, { [key]: value }) => {
        const changed = value === undefined ? wire : { ...wire, [key]: value }
        assert.strictEqual(
          (await fingerprint(changed)) === (await fingerprint(wire)),
          changed[key] === wire[key]
        )
      })
    )
  })

  it.each([
    [
      { authorization_url: "https://auth.example/a", grant_type: "authorization_code" },
      { authorization_url: "https://auth.example/a" }
    ],
    [{ issuer: "https://auth.example" }, {}],
    [{ issuer: "https://auth.example" }, { issuer: "https://auth.example/" }],
    [{ client_metadata_url: "https://gateway.example/client" }, {}],
    [
      { ...tokenExchange, subject_token: "alice" },
      { ...tokenExchange, subject_token: "bob" }
    ],
    [{ ...tokenExchange, subject_token_type: "urn:a" }, tokenExchange],
    [{ ...tokenExchange, requested_token_type: "urn:a" }, tokenExchange],
    [
      { grant_type: "jwt_bearer", assertion: "a.b.c" },
      { grant_type: "jwt_bearer", assertion: "a.b.d" }
    ],
    [identityProvider({ subject_token: "alice" }), identityProvider({ subject_token: "bob" })],
    [identityProvider({ token_url: "https://idp.example/a" }), identityProvider({})],
    [identityProvider({ client_id: "other" }), identityProvider({})],
    [{ resource: false }, {}],
    [{ scope_separator: "," }, {}],
    [{ offline_access: false }, {}],
    [{ issuer_mismatch: "allow" }, {}],
    [{ authorize_params: { login_hint: "alice" } }, {}],
    [{ authorize_params: { login_hint: "alice" } }, { authorize_params: { login_hint: "bob" } }],
    [{ authorize_params: { prompt: null } }, {}],
    [{ scope: "a" }, {}],
    [{ additional_params: { a: "1" } }, {}],
    [{ additional_params: { a: "1" } }, { additional_params: { a: "2" } }],
    [{ additional_params: { a: "1" } }, { additional_params: { b: "1" } }],
    [{ additional_params: { a: "1", b: "2" } }, { additional_params: { a: "1,b", "": "2" } }],
    [{ additional_params: { "X-A": "1" } }, { custom_headers: { "X-A": "1" } }],
    [{ custom_headers: { "X-A": "1" } }, { custom_headers: { "X-A": "2" } }],
    [
      { scope: "a", audience: "b" },
      { scope: "b", audience: "a" }
    ],
    [{ audience: "a" }, { organization: "a" }]
  ])("the fingerprint differs for %j and %j", async (a, b) => {
    assert.notStrictEqual(
      await fingerprint({ ...clientCredentials, ...a }),
      await fingerprint({ ...clientCredentials, ...b })
    )
  })

  it("the fingerprint differs by the client certificate", async () => {
    const prints = await Promise.all(
      [undefined, "", "thumbprint", "Thumbprint"].map((thumbprint) =>
        fingerprint(clientCredentials, thumbprint)
      )
    )
    assert.strictEqual(new Set(prints).size, 4)
  })

  it.each([
    { client_secret: "rotated" },
    { scope_on_refresh: true },
    { basic_encoding: "raw" },
    { registration: { scope: false } },
    {
      scope_separator: " ",
      offline_access: true,
      issuer_mismatch: "refuse",
      authorize_params: {}
    },
    { use_mtls: true, client_pkcs12_path: "client.p12", client_key_passphrase: "rotated" },
    {
      use_mtls: true,
      client_cert_path: "c.pem",
      client_key_path: "c.key",
      introspection_url: "https://auth.example/introspect"
    },
    { private_key: '{"kty":"EC","d":"x"}' },
    { token_endpoint_auth_method: "client_secret_post" }
  ])("the fingerprint does not depend on %j", async (keys) => {
    assert.strictEqual(
      await fingerprint({ ...clientCredentials, ...keys }),
      await fingerprint(clientCredentials)
    )
  })
})
