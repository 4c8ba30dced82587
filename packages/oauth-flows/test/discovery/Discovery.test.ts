import { assert, describe, it } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { decodeConfig, settle } from "../TestGrants.ts"
import {
  discoveredRequest,
  makeResolutionOn,
  makeGrantTargets,
  makeServers,
  metadataOf,
  pathsOf,
  plain
} from "../TestResolution.ts"

const client = { client_id: "gateway" }
/** A client of its own is never sent to default endpoints. */
const machine = { ...client, client_secret: "s", grant_type: "client_credentials" }

describe("discovery of the protected resource", () => {
  it.effect("the well-known URL with the path is read before the one at the root", () =>
    Effect.gen(function* () {
      const { as, mcp, resourceUrl } = yield* makeServers()
      const targets = yield* makeGrantTargets()
      const found = yield* targets.resolve(discoveredRequest(resourceUrl, client))
      assert.deepInclude(found, { issuer: as.url, resource: resourceUrl })
      assert.strictEqual(found.tokenEndpoint.url, as.endpoint("/token"))
      assert.strictEqual(found.authorizationEndpoint?.url, as.endpoint("/authorize"))
      assert.strictEqual(found.revocationEndpoint?.url, as.endpoint("/revoke"))
      assert.deepStrictEqual(pathsOf(yield* mcp.requests), ["GET /.well-known/oauth-protected-resource/mcp"])
    })
  )

  it.effect("the well-known URL at the root is read when the one with the path does not exist", () =>
    Effect.gen(function* () {
      const { as } = yield* makeServers()
      const mcp = yield* StubAuthorizationServer.make()
      yield* mcp.always(
        "/.well-known/oauth-protected-resource",
        Answer.json({ resource: mcp.url, authorization_servers: [as.url] })
      )
      const targets = yield* makeGrantTargets()
      const found = yield* targets.resolve(discoveredRequest(mcp.endpoint("/a/mcp"), client))
      assert.strictEqual(found.resource, mcp.url, "as it was written, without a slash")
      assert.deepStrictEqual(pathsOf(yield* mcp.requests), [
        "GET /.well-known/oauth-protected-resource/a/mcp",
        "GET /.well-known/oauth-protected-resource"
      ])
    })
  )

  it.effect("the metadata URL of a challenge is the only one read", () =>
    Effect.gen(function* () {
      const { as, mcp, resourceUrl } = yield* makeServers()
      const url = mcp.endpoint("/custom/metadata.json?v=1")
      yield* mcp.always(
        "/custom/metadata.json",
        Answer.json({ resource: resourceUrl, authorization_servers: [as.url] })
      )
      const targets = yield* makeGrantTargets()
      yield* targets.resolve({
        ...discoveredRequest(resourceUrl, client),
        challenge: { resourceMetadata: url }
      })
      assert.deepStrictEqual(pathsOf(yield* mcp.requests), ["GET /custom/metadata.json?v=1"])
    })
  )

  it.effect("no credential, cookie or header of the configuration goes to a metadata URL", () =>
    Effect.gen(function* () {
      const { as, mcp, resourceUrl } = yield* makeServers()
      const targets = yield* makeGrantTargets()
      const secrets = { client_secret: "the-secret", custom_headers: { "x-api-key": "the-key" } }
      yield* targets.resolve(discoveredRequest(resourceUrl, { ...client, ...secrets }))
      const requests = [...(yield* mcp.requests), ...(yield* as.requests)]
      assert.lengthOf(requests, 2)
      for (const { body, headers, rawUrl } of requests) {
        assert.notMatch(JSON.stringify([headers, rawUrl, body]), /the-secret|the-key|authorization"|cookie/i)
      }
    })
  )

  it.effect("the error for missing metadata names every URL and what to configure", () =>
    Effect.gen(function* () {
      const mcp = yield* StubAuthorizationServer.make()
      yield* mcp.always("/.well-known/oauth-protected-resource/mcp", Answer.text("<html>home</html>"))
      const targets = yield* makeGrantTargets()
      const request = discoveredRequest(mcp.endpoint("/mcp?key=abc"), machine)
      const reason = yield* Effect.flip(targets.resolve(request))
      assert.strictEqual(plain(reason)["_tag"], "DiscoveryFailed")
      assert.include(
        reason.message,
        `${mcp.url}/.well-known/oauth-protected-resource/mcp: it is an HTML or XML page`
      )
      assert.include(reason.message, `${mcp.url}/.well-known/oauth-protected-resource: HTTP 404`)
      assert.include(reason.message, "Configure `issuer`")
      assert.notInclude(reason.message, "abc")
    })
  )

  it.effect("metadata without an authorization server is an error", () =>
    Effect.gen(function* () {
      const { resourceUrl } = yield* makeServers({ resource: { authorization_servers: null } })
      const targets = yield* makeGrantTargets()
      const reason = yield* Effect.flip(targets.resolve(discoveredRequest(resourceUrl, client)))
      assert.include(reason.message, "names no authorization server. Configure `issuer`")
    })
  )

  it.effect("a server that fails with 5xx is asked again, and no other URL is tried", () =>
    Effect.gen(function* () {
      const { mcp, resourceUrl } = yield* makeServers()
      yield* mcp.enqueue("/.well-known/oauth-protected-resource/mcp", Answer.status(503), Answer.reset)
      const targets = yield* makeGrantTargets()
      const found = yield* settle(targets.resolve(discoveredRequest(resourceUrl, client)))
      assert.strictEqual(found.resource, resourceUrl)
      assert.deepStrictEqual(pathsOf(yield* mcp.requests), [
        "GET /.well-known/oauth-protected-resource/mcp",
        "GET /.well-known/oauth-protected-resource",
        "GET /.well-known/oauth-protected-resource/mcp",
        "GET /.well-known/oauth-protected-resource/mcp"
      ])
    })
  )
})

const places = [
  [
    "https://as.example",
    [
      "https://as.example/.well-known/oauth-authorization-server",
      "https://as.example/.well-known/openid-configuration"
    ]
  ],
  [
    "https://as.example/",
    [
      "https://as.example/.well-known/oauth-authorization-server",
      "https://as.example/.well-known/openid-configuration"
    ]
  ],
  [
    "https://as.example/tenant1",
    [
      "https://as.example/.well-known/oauth-authorization-server/tenant1",
      "https://as.example/.well-known/openid-configuration/tenant1",
      "https://as.example/tenant1/.well-known/openid-configuration"
    ]
  ],
  [
    "https://as.example/a/b/",
    [
      "https://as.example/.well-known/oauth-authorization-server/a/b",
      "https://as.example/.well-known/openid-configuration/a/b",
      "https://as.example/a/b/.well-known/openid-configuration"
    ]
  ]
] as const

describe("discovery of the authorization server", () => {
  it.effect.each(places)("%s is looked for in the order of the MCP specification", ([issuer, urls]) =>
    Effect.gen(function* () {
      for (const [index, url] of urls.entries()) {
        const { asked, targets } = yield* makeResolutionOn({ [url]: metadataOf(issuer) })
        const found = yield* targets.resolve(discoveredRequest(undefined, { ...client, issuer }))
        assert.strictEqual(found.issuer, issuer)
        assert.deepStrictEqual(asked, urls.slice(0, index + 1))
      }
      const { asked, targets } = yield* makeResolutionOn({})
      yield* Effect.flip(targets.resolve(discoveredRequest(undefined, { ...client, issuer })))
      assert.deepStrictEqual(asked, [...urls])
    })
  )

  it.effect("client credentials with an issuer are discovered at that issuer only", () =>
    Effect.gen(function* () {
      const { as } = yield* makeServers()
      const targets = yield* makeGrantTargets()
      const found = yield* targets.resolve({
        serverName: "remote",
        config: decodeConfig({ issuer: as.url }),
        correlationId: "1"
      })
      assert.strictEqual(found.tokenEndpoint.url, as.endpoint("/token"))
      assert.isUndefined(found.resource)
    })
  )

  it.effect.each([undefined, 5, {}, []])("metadata whose token_endpoint is %j is refused by name", (value) =>
    Effect.gen(function* () {
      const { resourceUrl } = yield* makeServers({ metadata: { token_endpoint: value } })
      const targets = yield* makeGrantTargets()
      const reason = yield* Effect.flip(targets.resolve(discoveredRequest(resourceUrl, client)))
      assert.include(reason.message, "its `token_endpoint` is missing or of the wrong type")
    })
  )

  const wrongTypes = [
    ["scopes_supported", { a: 1 }],
    ["code_challenge_methods_supported", [1]],
    ["client_id_metadata_document_supported", "true"],
    ["registration_endpoint", {}],
    ["mtls_endpoint_aliases", "none"]
  ] as const

  it.effect.each(wrongTypes)("a %s of the wrong type counts as left out", ([key, value]) =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers({ metadata: { [key]: value } })
      const targets = yield* makeGrantTargets()
      const found = yield* targets.resolve(discoveredRequest(resourceUrl, client))
      assert.strictEqual(found.tokenEndpoint.url, as.endpoint("/token"))
      assert.notInclude(JSON.stringify(found.metadata), JSON.stringify(value))
    })
  )

  it.effect("a list of one counts as text, and a text as a list of one", () =>
    Effect.gen(function* () {
      const { as, mcp, resourceUrl } = yield* makeServers({ metadata: { scopes_supported: "a b" } })
      yield* mcp.always(
        "/.well-known/oauth-protected-resource/mcp",
        Answer.json({ resource: [resourceUrl], authorization_servers: as.url })
      )
      const targets = yield* makeGrantTargets()
      const found = yield* targets.resolve(discoveredRequest(resourceUrl, client))
      assert.strictEqual(found.resource, resourceUrl)
      assert.strictEqual(found.issuer, as.url)
      assert.deepStrictEqual(found.metadata?.scopesSupported, ["a", "b"])
    })
  )

  it.effect("unknown keys and null values of metadata are ignored", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers({
        metadata: { unknown: [{}], scopes_supported: null, revocation_endpoint: null }
      })
      const targets = yield* makeGrantTargets()
      const found = yield* targets.resolve(discoveredRequest(resourceUrl, client))
      assert.strictEqual(found.issuer, as.url)
      assert.isUndefined(found.revocationEndpoint)
    })
  )
})

describe("what was discovered", () => {
  it.effect("metadata is read once for many requests, and again after five minutes", () =>
    Effect.gen(function* () {
      const { as, mcp, resourceUrl } = yield* makeServers()
      const targets = yield* makeGrantTargets()
      const resolve = targets.resolve(discoveredRequest(resourceUrl, client))
      yield* Effect.all(
        Array.from({ length: 50 }, () => resolve),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(yield* mcp.requests, 1)
      assert.lengthOf(yield* as.requests, 1)
      yield* TestClock.adjust("299 seconds")
      yield* resolve
      assert.lengthOf(yield* mcp.requests, 1)
      yield* TestClock.adjust("2 seconds")
      yield* resolve
      assert.lengthOf(yield* mcp.requests, 2)
      assert.lengthOf(yield* as.requests, 2)
    })
  )

  it.effect("a failed discovery is told to everybody for three seconds, and then repeated", () =>
    Effect.gen(function* () {
      const { mcp, resourceUrl } = yield* makeServers()
      const place = "/.well-known/oauth-protected-resource/mcp"
      yield* mcp.enqueue(place, Answer.status(404))
      const targets = yield* makeGrantTargets()
      const resolve = targets.resolve(discoveredRequest(resourceUrl, machine))
      yield* Effect.flip(resolve)
      yield* TestClock.adjust("2999 millis")
      yield* Effect.flip(resolve)
      assert.lengthOf(yield* mcp.requestsTo(place), 1)
      yield* TestClock.adjust("1 millis")
      yield* resolve
      assert.lengthOf(yield* mcp.requestsTo(place), 2)
    })
  )

  it.effect("the metadata of a server that was away is asked for again at once", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      const place = "/.well-known/oauth-authorization-server"
      // Longer than anybody waits, so that the request is not repeated by itself.
      yield* as.enqueue(place, Answer.status(503, { retryAfter: 60 }))
      const targets = yield* makeGrantTargets()
      const resolve = targets.resolve(discoveredRequest(resourceUrl, machine))
      assert.strictEqual((yield* Effect.flip(resolve))._tag, "EndpointUnavailable")
      yield* resolve
      assert.lengthOf(yield* as.requestsTo(place), 2)
    })
  )

  it.effect("long documents of many servers evict the oldest", () =>
    Effect.gen(function* () {
      const server = (index: number) => `https://mcp-${index}.example.com`
      const names = Array.from({ length: 1000 }, (_, index) => `${"s".repeat(55)}.${index}`)
      const documents = Object.fromEntries(
        Array.from({ length: 200 }, (_, index) => [
          `${server(index)}/.well-known/oauth-protected-resource`,
          {
            resource: server(index),
            authorization_servers: ["https://as.example.com"],
            scopes_supported: names
          }
        ])
      )
      const { asked, targets } = yield* makeResolutionOn({
        ...documents,
        "https://as.example.com/.well-known/oauth-authorization-server": metadataOf("https://as.example.com")
      })
      const resolve = (index: number) => targets.resolve(discoveredRequest(server(index), client))
      const timesAsked = (index: number) => asked.filter((url) => url.startsWith(server(index))).length
      for (let index = 0; index < 200; index += 1) yield* resolve(index)
      yield* resolve(199)
      assert.strictEqual(timesAsked(199), 1)
      yield* resolve(0)
      assert.strictEqual(timesAsked(0), 2)
    })
  )

  it.effect("cached metadata is not shared with an entry of stricter rules", () =>
    Effect.gen(function* () {
      const { resourceUrl } = yield* makeServers()
      const targets = yield* makeGrantTargets()
      yield* targets.resolve(discoveredRequest(resourceUrl, client))
      const strict = discoveredRequest(resourceUrl, { ...client, enforce_https: true })
      const reason = yield* Effect.flip(targets.resolve(strict))
      assert.include(reason.message, "must be https")
    })
  )
})
