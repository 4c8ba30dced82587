import { assert, describe, it } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { makeLog, settle } from "../TestGrants.ts"
import {
  discoveredRequest,
  makeGrantTargets,
  makeResolutionOn,
  metadataOf,
  pathsOf,
  plain,
  redirectUri,
  serveRegistration
} from "../TestResolution.ts"

const client = { client_id: "gateway" }
const origin = "https://mcp.example"
const server = `${origin}/v1/mcp`
const resourcePlaces = [
  `${origin}/.well-known/oauth-protected-resource/v1/mcp`,
  `${origin}/.well-known/oauth-protected-resource`
]
const atPath = `${origin}/.well-known/oauth-authorization-server/v1/mcp`
const atRoot = `${origin}/.well-known/oauth-authorization-server`

describe("an MCP server without resource metadata (MCP 2025-03-26)", () => {
  it.effect(
    "a server without resource metadata is its own authorization server, by the document with its path first",
    () =>
      Effect.gen(function* () {
        const { asked, targets } = yield* makeResolutionOn({
          [atPath]: { ...metadataOf(origin), issuer: server, token_endpoint: `${origin}/path/token` },
          [atRoot]: metadataOf(origin)
        })
        const found = yield* targets.resolve(discoveredRequest(server, client))
        assert.deepStrictEqual(asked, [...resourcePlaces, atPath])
        assert.strictEqual(found.issuer, server)
        assert.strictEqual(found.tokenEndpoint.url, `${origin}/path/token`)
        assert.strictEqual(found.resource, server)
      })
  )

  it.effect("the document of the server's origin is used, which is said once in the log", () =>
    Effect.gen(function* () {
      const { targets } = yield* makeResolutionOn({ [atRoot]: metadataOf(origin) })
      const { lines, record } = makeLog()
      const resolve = targets.resolve(discoveredRequest(server, client))
      const found = yield* record(Effect.andThen(resolve, resolve))
      assert.strictEqual(found.issuer, origin)
      assert.lengthOf(
        lines.filter((line) => line.includes("has no resource metadata")),
        1
      )
    })
  )

  it.effect("a server without any document is asked at the default endpoints", () =>
    Effect.gen(function* () {
      const mcp = yield* StubAuthorizationServer.make()
      yield* serveRegistration(mcp)
      const targets = yield* makeGrantTargets()
      const found = yield* targets.resolve(discoveredRequest(mcp.endpoint("/mcp")), { redirectUri })
      assert.strictEqual(found.authorizationEndpoint?.url, mcp.endpoint("/authorize"))
      assert.strictEqual(found.tokenEndpoint.url, mcp.endpoint("/token"))
      assert.strictEqual(found.client.clientId, "client-1")
      assert.deepStrictEqual(found.metadata?.codeChallengeMethodsSupported, ["S256"])
    })
  )

  it.effect("no credentials of a client go to an endpoint that nobody named", () =>
    Effect.gen(function* () {
      const { targets } = yield* makeResolutionOn({})
      const request = discoveredRequest(server, {
        ...client,
        grant_type: "client_credentials",
        client_secret: "s"
      })
      const reason = yield* Effect.flip(targets.resolve(request))
      assert.deepInclude(plain(reason), { _tag: "DiscoveryFailed" })
      assert.include(reason.message, `${resourcePlaces[0]}: HTTP 404`)
      assert.include(reason.message, `${atPath}: HTTP 404`)
      assert.include(reason.message, "Configure `issuer`")
    })
  )

  it.effect("the document of the server's origin may not name another issuer", () =>
    Effect.gen(function* () {
      const { asked, targets } = yield* makeResolutionOn({ [atRoot]: metadataOf("https://victim.example") })
      const reason = yield* Effect.flip(targets.resolve(discoveredRequest(server, client)))
      assert.include(
        reason.message,
        `its \`issuer\` https://victim.example is not the authorization server ${origin}`
      )
      assert.isFalse(asked.some((url) => url.startsWith("https://victim.example")))
    })
  )

  it.effect("the origin of a server without https is not used", () =>
    Effect.gen(function* () {
      const plainHttp = "http://mcp.example/mcp"
      const { targets } = yield* makeResolutionOn({
        "http://mcp.example/.well-known/oauth-authorization-server": metadataOf("http://mcp.example")
      })
      const reason = yield* Effect.flip(targets.resolve(discoveredRequest(plainHttp, client)))
      assert.include(reason.message, "a server without https is not used as its authorization server")
    })
  )

  it.effect.each([
    ["the resource metadata", "/.well-known/oauth-protected-resource"],
    ["the authorization server metadata", "/.well-known/oauth-authorization-server"]
  ] as const)("no endpoint is guessed while the place of %s is out of order", ([, path]) =>
    Effect.gen(function* () {
      const mcp = yield* StubAuthorizationServer.make()
      yield* mcp.always(path, Answer.status(503))
      const targets = yield* makeGrantTargets()
      const resolve = targets.resolve(discoveredRequest(mcp.endpoint("/mcp")), { redirectUri })
      const reason = yield* settle(Effect.flip(resolve))
      assert.deepInclude(plain(reason), { _tag: "EndpointUnavailable", status: 503 })
      assert.isFalse(pathsOf(yield* mcp.requests).some((asked) => asked.includes("/register")))
    })
  )
})

describe("client credentials with nothing but the server's URL", () => {
  const machine = { ...client, grant_type: "client_credentials", client_secret: "s", token_url: undefined }
  const named = (issuer: string) => ({ resource: server, authorization_servers: [issuer] })

  it.effect("client credentials are discovered from the MCP server", () =>
    Effect.gen(function* () {
      const { targets } = yield* makeResolutionOn({
        [`${resourcePlaces[0]}`]: named("https://as.example"),
        "https://as.example/.well-known/oauth-authorization-server": metadataOf("https://as.example")
      })
      const found = yield* targets.resolve(discoveredRequest(server, machine))
      assert.strictEqual(found.tokenEndpoint.url, "https://as.example/token")
      assert.strictEqual(found.resource, server)
    })
  )

  it.effect("client credentials go to no other issuer than the first", () =>
    Effect.gen(function* () {
      const documents: Record<string, Readonly<Record<string, unknown>>> = {
        [`${resourcePlaces[0]}`]: named("https://as.example"),
        "https://as.example/.well-known/oauth-authorization-server": metadataOf("https://as.example"),
        "https://evil.example/.well-known/oauth-authorization-server": metadataOf("https://evil.example"),
        [`${origin}/elsewhere`]: named("https://evil.example")
      }
      const { targets } = yield* makeResolutionOn(documents)
      const request = discoveredRequest(server, machine)
      yield* targets.resolve(request)
      const reason = yield* Effect.flip(
        targets.resolve({ ...request, challenge: { resourceMetadata: `${origin}/elsewhere` } })
      )
      assert.include(reason.message, "names another authorization server than https://as.example")
    })
  )
})
