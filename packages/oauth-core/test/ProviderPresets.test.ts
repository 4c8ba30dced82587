import { assert, describe, it } from "@effect/vitest"
import { decodeOAuthConfig } from "@secure-mcp/oauth-core"
import {
  presetsIn,
  providerIn,
  providerNames,
  providerProfiles,
  tokenFingerprint
} from "@secure-mcp/oauth-core/internal"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"

const login = { enabled: true, grant_type: "authorization_code" }

const decode = (oauth: object) => Result.getOrThrow(decodeOAuthConfig({ ...login, ...oauth }))

const problemsOf = (oauth: object) =>
  Result.match(decodeOAuthConfig({ ...login, ...oauth }), {
    onSuccess: () => [],
    onFailure: ({ problems }) => problems.map(({ message, path }) => `${path.join(".")}: ${message}`)
  })

describe("a provider", () => {
  it.each(providerNames)("the profile of %s decodes, and everything that it sets applies", (provider) => {
    const config = decode({ provider })
    assert.strictEqual(config.provider, provider)
    assert.deepStrictEqual(presetsIn(config, provider), {
      applied: providerProfiles[provider].presets,
      others: []
    })
  })

  it.each(providerNames)("each line of %s has a public source", (provider) => {
    const { needs, presets } = providerProfiles[provider]
    assert.isNotEmpty([...needs, ...presets])
    for (const { source } of [...needs, ...presets]) assert.match(source, /^https:\/\/[^\s]+\/[^\s]+$/)
  })

  it("a provider presets what the entry does not say", () => {
    assert.deepInclude(decode({ provider: "entra" }), { resource: false, scopeOnRefresh: true })
    assert.deepInclude(decode({ provider: "atlassian" }), { issuerMismatch: "allow" })
    assert.deepInclude(decode({ provider: "shopify" }), { scopeSeparator: "," })
    assert.deepInclude(decode({}), { scopeOnRefresh: false, issuerMismatch: "refuse", scopeSeparator: " " })
    assert.notProperty(decode({}), "resource")
  })

  it("what the entry says wins, member by member", () => {
    const entra = decode({ provider: "entra", resource: "https://api.example/mcp" })
    assert.deepInclude(entra, { resource: "https://api.example/mcp", scopeOnRefresh: true })
    const google = decode({ provider: "google", authorize_params: { prompt: null, hd: "example.com" } })
    assert.deepStrictEqual(google.authorizeParams, {
      access_type: "offline",
      prompt: null,
      hd: "example.com"
    })
    const keycloak = decode({ provider: "keycloak", registration: { client_name: "Gateway" } })
    assert.deepStrictEqual(keycloak.registration, { scope: false, client_name: "Gateway" })
    const { applied, others } = presetsIn(entra, "entra")
    assert.deepStrictEqual(
      applied.map(({ key }) => key),
      ["scope_on_refresh"]
    )
    assert.deepStrictEqual(
      others.map(({ key }) => key),
      ["resource"]
    )
  })

  it("an ill-typed key next to a provider is still a problem", () => {
    const problems = problemsOf({ provider: "google", authorize_params: "access_type=offline" })
    assert.match(problems.join(), /^authorize_params: /)
  })

  it("an unknown provider is a problem that names those that are known, and not the value", () => {
    const [problem = "", ...others] = problemsOf({ provider: "hunter2" })
    assert.isEmpty(others)
    assert.match(problem, /^provider: /)
    assert.include(problem, "entra")
    assert.notInclude(problem, "hunter2")
  })

  it.effect("the name of a provider is not part of a token's key, and the keys it sets are", () =>
    Effect.gen(function* () {
      const keyOf = (oauth: object) => tokenFingerprint(decode(oauth), undefined, "https://mcp.example/mcp")
      assert.strictEqual(yield* keyOf({ provider: "github" }), yield* keyOf({}))
      const entra = yield* keyOf({ provider: "entra" })
      assert.strictEqual(entra, yield* keyOf({ resource: false, scope_on_refresh: true }))
      assert.notStrictEqual(entra, yield* keyOf({}))
    }).pipe(Effect.provide(Digest.layerWebCrypto))
  )
})

describe("recognition of a provider", () => {
  it.each([
    ["https://login.microsoftonline.com/common/v2.0", "entra"],
    ["https://contoso.ciamlogin.com/x", "entra"],
    ["AADSTS9010010: The resource parameter does not match", "entra"],
    ["the token endpoint https://oauth2.googleapis.com/token", "google"],
    ["https://accounts.google.com", "google"],
    ["https://github.com/login/oauth", "github"],
    ["https://api.githubcopilot.com/mcp/", "github"],
    ["https://mcp.atlassian.com/v1/mcp", "atlassian"],
    ["https://acme.okta.com/oauth2/default", "okta"],
    ["https://acme.eu.auth0.com/", "auth0"],
    ["https://sso.example.com/realms/mcp", "keycloak"],
    ["http://localhost:8080/auth/realms/mcp/protocol", "keycloak"],
    ["https://cognito-idp.eu-central-1.amazonaws.com/pool", "cognito"],
    ["https://acme.auth.us-east-1.amazoncognito.com/oauth2/token", "cognito"],
    ["https://slack.com/api/oauth.v2.user.access", "slack"],
    ["https://acme--dev.sandbox.my.salesforce.com", "salesforce"],
    ["https://acme.myshopify.com/admin/oauth/authorize", "shopify"],
    ["https://api.figma.com/v1/oauth/mcp/register", "figma"],
    ["https://mcp.notion.com/mcp", "notion"],
    ["https://github.com.evil.example/login", undefined],
    ["https://evil.example/https://github.com/", undefined],
    ["https://notslack.com/", undefined],
    ["https://gist.github.com/x", undefined],
    ["https://mcp.example.com/mcp", undefined]
  ])("%s is recognised as %s", (text, provider) => {
    assert.strictEqual(providerIn(text), provider)
  })
})
