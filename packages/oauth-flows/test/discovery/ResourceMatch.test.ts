import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { discoveredRequest, makeResolutionOn, metadataOf, plain } from "../TestResolution.ts"

const client = { client_id: "gateway" }

/** The server that was asked, the `resource` of its metadata at the given place, and whether that will do. */
const resources: ReadonlyArray<
  readonly [server: string, resource: string, at: "path" | "root" | "challenge", isMatch: boolean]
> = [
  ["https://mcp.example/mcp", "https://mcp.example/mcp", "path", true],
  ["https://mcp.example/mcp", "HTTPS://MCP.example:443/mcp", "path", true],
  ["https://mcp.example/mcp/", "https://mcp.example/mcp", "path", true],
  ["https://mcp.example/mcp", "https://mcp.example/mcp/", "path", true],
  ["https://mcp.example", "https://mcp.example/", "root", true],
  ["https://mcp.example/mcp", "https://mcp.example", "root", true],
  ["https://mcp.example/mcp", "https://mcp.example", "challenge", false],
  ["https://mcp.example/mcp", "https://mcp.example", "path", false],
  ["https://mcp.example/mcp", "https://evil.example/mcp", "path", false],
  ["https://mcp.example/mcp", "https://mcp.example.evil/mcp", "path", false],
  ["https://mcp.example/mcp", "http://mcp.example/mcp", "path", false],
  ["https://mcp.example/mcp", "https://mcp.example:8443/mcp", "path", false],
  ["https://mcp.example/mcp", "https://mcp.example/mcp-evil", "path", false],
  ["https://mcp.example/mcp-evil", "https://mcp.example/mcp", "path", false],
  ["https://mcp.example/mcp", "https://mcp.example/mcp/deeper", "path", false],
  ["https://mcp.example/mcp", "https://mcp.example/MCP", "path", false],
  ["https://mcp.example/mcp", "https://mcp.example/mcp?tenant=1", "path", false],
  ["https://mcp.example/mcp", "https://user@mcp.example/mcp", "path", false],
  ["https://mcp.example/mcp", "https://mcp.example/mcp#", "path", false],
  ["https://mcp.example/mcp", "mcp.example/mcp", "path", false],
  ["https://mcp.example/mcp", "", "path", false]
]

const issuer = "https://as.example"
const challenged = "https://mcp.example/metadata"

const onTheWeb = (server: string, resource: string, at: "path" | "root" | "challenge") => {
  const root = "https://mcp.example/.well-known/oauth-protected-resource"
  const path = root + new URL(server).pathname.replace(/\/$/, "")
  return makeResolutionOn({
    [{ root, path, challenge: challenged }[at]]: { resource, authorization_servers: [issuer] },
    [`${issuer}/.well-known/oauth-authorization-server`]: metadataOf(issuer)
  })
}

describe("the resource of the metadata (RFC 9728 §3.3)", () => {
  it.effect.each(resources)(
    "the server %s whose metadata names %s at the %s: %s",
    ([server, resource, at, isMatch]) =>
      Effect.gen(function* () {
        const { asked, targets } = yield* onTheWeb(server, resource, at)
        const request = {
          ...discoveredRequest(server, client),
          ...(at === "challenge" ? { challenge: { resourceMetadata: challenged } } : {})
        }
        if (isMatch) {
          assert.strictEqual((yield* targets.resolve(request)).resource, resource)
          return
        }
        const reason = yield* Effect.flip(targets.resolve(request))
        assert.strictEqual(plain(reason)["_tag"], "DiscoveryFailed")
        assert.include(reason.message, "its `resource` is not the MCP server that was asked")
        assert.isFalse(
          asked.some((url) => url.startsWith(issuer)),
          "stopped before the authorization server"
        )
      })
  )

  it.effect("a configured resource may be named by the metadata, and is sent", () =>
    Effect.gen(function* () {
      const resource = "urn:example:mcp"
      const { targets } = yield* onTheWeb("https://mcp.example/mcp", resource, "path")
      const request = discoveredRequest("https://mcp.example/mcp", { ...client, resource })
      assert.strictEqual((yield* targets.resolve(request)).resource, resource)
    })
  )
})
