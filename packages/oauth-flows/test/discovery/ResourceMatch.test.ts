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
  ["https://mcp.example/mcp?project=1", "https://mcp.example/mcp", "path", true],
  ["https://mcp.example/mcp?project=1", "https://mcp.example/mcp?project=1", "path", true],
  ["https://mcp.example/mcp?project=1", "https://mcp.example/mcp?project=2", "path", false],
  ["https://mcp.example/mcp?project=1", "https://mcp.example/other", "path", false],
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
        assert.include(reason.message, `is not the MCP server ${server.replace(/\?.*/, "")} that was asked`)
        assert.include(reason.message, `its \`resource\` ${resource.replace(/[?#].*/, "")}`)
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

  const origin = "https://mcp.example"
  const place = `${origin}/.well-known/oauth-protected-resource`
  const server = `${origin}/tenant/mcp`
  /** The documents at the path and at the root; each names the whole origin. */
  const wholeOrigin = (
    atPath: ReadonlyArray<string>,
    atRoot: ReadonlyArray<string> | undefined,
    root = origin
  ) =>
    makeResolutionOn({
      [`${place}/tenant/mcp`]: { resource: origin, authorization_servers: atPath },
      ...(atRoot === undefined ? {} : { [place]: { resource: root, authorization_servers: atRoot } }),
      [`${issuer}/.well-known/oauth-authorization-server`]: metadataOf(issuer)
    })

  it.effect("the whole origin may be named at the path's place where the root says the same", () =>
    Effect.gen(function* () {
      const { targets } = yield* wholeOrigin([issuer], ["https://other.example", issuer])
      assert.strictEqual((yield* targets.resolve(discoveredRequest(server, client))).resource, origin)
    })
  )

  const unconfirmed = [
    ["there is no document at the root", ["https://as.example"], undefined, origin],
    [
      "the root names another authorization server",
      ["https://as.example"],
      ["https://other.example"],
      origin
    ],
    ["the root speaks of another resource", ["https://as.example"], ["https://as.example"], `${origin}/other`]
  ] as const
  it.effect.each(unconfirmed)(
    "a tenant cannot ask for tokens of the whole origin when %s",
    ([, path, root, named]) =>
      Effect.gen(function* () {
        const { asked, targets } = yield* wholeOrigin(path, root, named)
        const reason = yield* Effect.flip(targets.resolve(discoveredRequest(server, client)))
        assert.include(reason.message, `its \`resource\` ${origin} is not the MCP server ${server}`)
        assert.isFalse(asked.some((url) => url.startsWith(issuer)))
      })
  )

  it.effect("`resource: false` sends none, and the document is held to the same rule", () =>
    Effect.gen(function* () {
      const good = yield* onTheWeb("https://mcp.example/mcp", "https://mcp.example/mcp", "path")
      const request = discoveredRequest("https://mcp.example/mcp", { ...client, resource: false })
      assert.isUndefined((yield* good.targets.resolve(request)).resource)
      const evil = yield* onTheWeb("https://mcp.example/mcp", "https://evil.example/mcp", "path")
      assert.strictEqual(plain(yield* Effect.flip(evil.targets.resolve(request)))["_tag"], "DiscoveryFailed")
    })
  )
})
