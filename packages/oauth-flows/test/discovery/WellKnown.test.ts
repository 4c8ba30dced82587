import { assert, describe, it } from "@effect/vitest"
import {
  authorizationServerMetadataUrls,
  originMetadataUrl,
  protectedResourceMetadataUrls,
  serverOriginMetadataUrls
} from "../../src/discovery/WellKnown.ts"

const origin = "https://mcp.example.com"

describe("where metadata stands", () => {
  it.each([
    ["/", [""]],
    ["/?tenant=a", ["?tenant=a", ""]],
    ["/mcp", ["/mcp", ""]],
    ["/mcp/?a=b", ["/mcp/?a=b", "/mcp/", "/mcp?a=b", "/mcp", ""]]
  ] as const)("the metadata of a protected resource at %s may stand at %j", (path, places) => {
    assert.deepStrictEqual(
      protectedResourceMetadataUrls(origin + path),
      places.map((place) => `${origin}/.well-known/oauth-protected-resource${place}`)
    )
  })

  it("only a whole origin has metadata of an origin", () => {
    const place = `${origin}/.well-known/oauth-protected-resource`
    assert.strictEqual(originMetadataUrl(origin), place)
    assert.strictEqual(originMetadataUrl(`${origin}/`), place)
    assert.isUndefined(originMetadataUrl(`${origin}/mcp`))
    assert.isUndefined(originMetadataUrl(`${origin}/?tenant=a`))
  })

  it("the metadata of an authorization server stands at two places, and at a third one if it has a path", () => {
    assert.deepStrictEqual(authorizationServerMetadataUrls(`${origin}/`), [
      `${origin}/.well-known/oauth-authorization-server`,
      `${origin}/.well-known/openid-configuration`
    ])
    assert.deepStrictEqual(authorizationServerMetadataUrls(`${origin}/tenant/`), [
      `${origin}/.well-known/oauth-authorization-server/tenant`,
      `${origin}/.well-known/openid-configuration/tenant`,
      `${origin}/tenant/.well-known/openid-configuration`
    ])
  })

  it("the metadata of an MCP server's own authorization server stands with its path, or at the root", () => {
    const root = [
      `${origin}/.well-known/oauth-authorization-server`,
      `${origin}/.well-known/openid-configuration`
    ]
    assert.deepStrictEqual(serverOriginMetadataUrls(origin), root)
    assert.deepStrictEqual(serverOriginMetadataUrls(`${origin}/mcp/`), [
      `${origin}/.well-known/oauth-authorization-server/mcp`,
      ...root
    ])
  })
})
