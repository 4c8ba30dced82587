import { assert, describe, it } from "@effect/vitest"
import {
  AuthorizationDenied,
  AuthorizationRequired,
  ConnectionFailed,
  decodeOAuthConfig,
  DiscoveryFailed,
  OAuthError,
  RequestRefused
} from "@secure-mcp/oauth-core"
import * as Result from "effect/Result"
import { describeOAuthError } from "../../src/upstream/OAuthAdvice.ts"

const describeAs = (
  reason: OAuthError["reason"],
  oauth: object = {},
  resourceUrl = "https://mcp.example.com/mcp"
): string =>
  describeOAuthError(
    new OAuthError({ operation: "log in", serverName: "remote", correlationId: "1", reason }),
    {
      serverName: "remote",
      resourceUrl,
      config: Result.getOrThrow(decodeOAuthConfig({ grant_type: "authorization_code", ...oauth }))
    }
  )

const refused = (endpoint: string, description?: string) =>
  new RequestRefused({
    endpoint,
    status: 400,
    error: "invalid_target",
    ...(description === undefined ? {} : { description })
  })

const entra = "the token endpoint https://login.microsoftonline.com/tenant/oauth2/v2.0/token"
const hint = 'This looks like Entra: `"provider": "entra"` leaves out `resource`'

describe("what an error says of a provider", () => {
  it("an error of an endpoint of Entra names the provider and what it sets", () => {
    const text = describeAs(refused(entra))
    assert.include(text, hint)
    assert.include(text, "it repeats the scope in refresh requests")
  })

  it("the error codes of Entra are enough to recognise it", () => {
    const description = "AADSTS9010010: The resource parameter does not match"
    assert.include(describeAs(new AuthorizationDenied({ error: "invalid_target", description })), hint)
  })

  it("a configured issuer and the URL of the MCP server are enough to recognise a provider", () => {
    const reason = refused("the token endpoint https://as.example/token")
    assert.include(describeAs(reason, { issuer: "https://login.microsoftonline.com/tenant/v2.0" }), hint)
    assert.include(describeAs(reason, {}, "https://mcp.slack.com/mcp"), '`"provider": "slack"`')
  })

  it("metadata of Atlassian under another issuer leads to its profile", () => {
    const url = "https://mcp.atlassian.com/.well-known/oauth-authorization-server"
    const text = describeAs(new DiscoveryFailed({ url, problem: "its `issuer` is another" }))
    assert.include(text, '`"provider": "atlassian"` takes metadata that names another issuer')
  })

  it("a provider that needs no keys is named with what the operator has to add", () => {
    const text = describeAs(refused("the registration endpoint https://github.com/login/register"))
    assert.include(text, "This looks like GitHub, which registers no clients by itself: `client_id`")
  })

  it("an entry with a provider gets no hint", () => {
    assert.notInclude(describeAs(refused(entra), { provider: "entra" }), "This looks like")
    assert.notInclude(describeAs(refused(entra), { provider: "google" }), "This looks like")
  })

  it("keys that the entry has already are left out of the hint", () => {
    const text = describeAs(refused(entra), { resource: false })
    assert.include(text, '`"provider": "entra"` repeats the scope')
    assert.notInclude(describeAs(refused(entra), { resource: false, scope_on_refresh: true }), '"provider"')
  })

  it("a server cannot bring about a hint by a URL in its words", () => {
    const text = describeAs(
      refused("the token endpoint https://evil.example/token", "use https://mcp.atlassian.com/v1/mcp")
    )
    assert.notInclude(text, "This looks like")
  })

  it("errors that no configuration changes get no hint", () => {
    for (const reason of [
      new ConnectionFailed({ endpoint: entra, problem: "connection refused" }),
      new AuthorizationRequired({})
    ])
      assert.notInclude(describeAs(reason), "This looks like")
  })
})
