import { assert, describe, it } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import {
  discoveredRequest,
  makeResolutionOn,
  makeGrantTargets,
  makeServers,
  metadataOf,
  plain
} from "../TestResolution.ts"

const client = { client_id: "gateway" }
const issuer = "https://as.example"
const server = "https://mcp.example/mcp"

/** A server that names an issuer, and what stands at the issuer's first well-known place. */
const web = (named: string, metadata: Readonly<Record<string, unknown>>) => ({
  "https://mcp.example/.well-known/oauth-protected-resource/mcp": {
    resource: server,
    authorization_servers: [named]
  },
  "https://as.example/.well-known/oauth-authorization-server": metadata
})

describe("mix-up (RFC 9700 §4.4)", () => {
  const mixedUp = [
    ["another server", issuer, "https://honest.example"],
    ["a slash after a path", `${issuer}/tenant`, `${issuer}/tenant/`],
    ["another case", issuer, "https://AS.example"],
    ["a default port", issuer, `${issuer}:443`],
    ["a path", issuer, `${issuer}/tenant`]
  ] as const

  it.effect.each(mixedUp)("metadata whose issuer differs by %s is not used", ([, named, says]) =>
    Effect.gen(function* () {
      const { asked, targets } = yield* makeResolutionOn({
        ...web(named, { ...metadataOf(issuer), issuer: says }),
        [`${issuer}/.well-known/oauth-authorization-server/tenant`]: { ...metadataOf(issuer), issuer: says }
      })
      const reason = yield* Effect.flip(targets.resolve(discoveredRequest(server, client)))
      assert.strictEqual(plain(reason)["_tag"], "DiscoveryFailed")
      assert.include(reason.message, `its \`issuer\` ${says}`)
      assert.include(reason.message, `is not the authorization server ${named} that was asked`)
      assert.strictEqual(reason.message.includes("differs in the last slash"), says === `${named}/`)
      assert.isFalse(asked.includes(`${issuer}/token`))
    })
  )

  it.effect("credentials configured for one server do not follow the MCP server to another", () =>
    Effect.gen(function* () {
      const { mcp, resourceUrl } = yield* makeServers()
      const evil = yield* StubAuthorizationServer.make()
      yield* evil.always("/.well-known/oauth-authorization-server", Answer.json(metadataOf(evil.url)))
      const targets = yield* makeGrantTargets()
      const request = discoveredRequest(resourceUrl, { ...client, client_secret: "secret" })
      yield* targets.resolve(request)
      const url = mcp.endpoint("/elsewhere")
      yield* mcp.always(
        "/elsewhere",
        Answer.json({ resource: resourceUrl, authorization_servers: [evil.url] })
      )
      const challenged = { ...request, challenge: { resourceMetadata: url } }
      const reason = yield* Effect.flip(targets.resolve(challenged))
      assert.match(
        reason.message,
        /names another authorization server than http\S+, the one our client belongs to/
      )
    })
  )
})

describe("metadata that leads to an unsafe place", () => {
  const unsafe = [
    ["token_endpoint", "http://as.example/token", "must be https"],
    ["authorization_endpoint", "http://as.example/authorize", "must be https"],
    ["authorization_endpoint", "javascript:alert(1)", "must be an absolute http(s) URL"],
    ["authorization_endpoint", "file:///etc/passwd", "must be an absolute http(s) URL"],
    ["token_endpoint", "https://user:pw@as.example/token", "must not contain a user name"],
    ["token_endpoint", "https://as.example/token#x", "must not contain a fragment"]
  ] as const

  it.effect.each(unsafe)("%s %s of an https issuer is refused, enforce_https or not", ([key, url, problem]) =>
    Effect.gen(function* () {
      for (const enforce_https of [true, false]) {
        const { asked, targets } = yield* makeResolutionOn(web(issuer, { ...metadataOf(issuer), [key]: url }))
        const request = discoveredRequest(server, { ...client, enforce_https })
        const reason = yield* Effect.flip(targets.resolve(request))
        assert.deepInclude(plain(reason), { _tag: "DiscoveryFailed" })
        assert.include(reason.message, `its \`${key}\` ${problem}`)
        assert.lengthOf(asked, 2)
      }
    })
  )

  const left = [
    ["registration_endpoint", "http://as.example/register"],
    ["revocation_endpoint", "http://127.0.0.1/revoke"],
    ["device_authorization_endpoint", "/device"]
  ] as const

  it.effect.each(left)(
    "%s %s of an https issuer is never used, and the rest of the document is",
    ([key, url]) =>
      Effect.gen(function* () {
        const { targets } = yield* makeResolutionOn(web(issuer, { ...metadataOf(issuer), [key]: url }))
        const found = yield* targets.resolve(discoveredRequest(server, { ...client, enforce_https: false }))
        assert.strictEqual(found.tokenEndpoint.url, `${issuer}/token`)
        assert.notInclude(JSON.stringify(found), `"${url}"`)
      })
  )

  const issuers = [
    ["http://as.example", "must be https"],
    ["https://as.example?x=1", "must not contain a query"],
    ["https://as.example#x", "must not contain a fragment"],
    ["file:///etc/passwd", "must be an absolute http(s) URL"],
    ["as.example", "must be an absolute http(s) URL"],
    ["", "must be an absolute http(s) URL"]
  ] as const

  it.effect.each(issuers)("the issuer %j is not asked", ([named, problem]) =>
    Effect.gen(function* () {
      const { asked, targets } = yield* makeResolutionOn(web(named, metadataOf(named)))
      const request = discoveredRequest(server, { ...client, enforce_https: true })
      const reason = yield* Effect.flip(targets.resolve(request))
      assert.include(reason.message, `the issuer ${problem}`)
      assert.lengthOf(asked, 1)
    })
  )

  it.effect.each([
    "http://mcp.example/metadata",
    "file:///etc/passwd",
    "/metadata",
    "",
    "'https://mcp.example/metadata'"
  ])("the metadata URL %j of a challenge is not fetched; the well-known place is", (url) =>
    Effect.gen(function* () {
      const { asked, targets } = yield* makeResolutionOn(web(issuer, metadataOf(issuer)))
      const request = discoveredRequest(server, { ...client, enforce_https: true })
      const found = yield* targets.resolve({ ...request, challenge: { resourceMetadata: url } })
      assert.strictEqual(found.issuer, issuer)
      assert.lengthOf(asked, 2)
    })
  )

  it.effect("a redirect to another origin is not followed", () =>
    Effect.gen(function* () {
      const { as, mcp, resourceUrl } = yield* makeServers()
      const elsewhere = yield* StubAuthorizationServer.make()
      const to = Answer.redirect(elsewhere.endpoint("/metadata"))
      yield* as.always("/.well-known/oauth-authorization-server", to)
      yield* as.always("/.well-known/openid-configuration", to)
      const targets = yield* makeGrantTargets()
      const reason = yield* Effect.flip(targets.resolve(discoveredRequest(resourceUrl, client)))
      assert.include(reason.message, "a redirect (HTTP 302), which is not followed to another origin")
      yield* mcp.always("/.well-known/oauth-protected-resource/mcp", to)
      const again = yield* makeGrantTargets()
      yield* again.resolve(discoveredRequest(resourceUrl, client))
      assert.isEmpty(yield* elsewhere.requests)
    })
  )

  it.effect("metadata over 256 KiB is not read to its end", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      yield* as.always("/.well-known/oauth-authorization-server", Answer.giantBody(64 * 1024 * 1024))
      const targets = yield* makeGrantTargets()
      const reason = yield* Effect.flip(targets.resolve(discoveredRequest(resourceUrl, client)))
      assert.include(reason.message, "its body is over 256 KiB")
      yield* as.aborted(1)
    })
  )

  for (const [count, problem] of [
    [6000, "its JSON has over 5000 values"],
    [1000, "it has over 500 members"]
  ] as const) {
    it.effect(`${count} members are no metadata: ${problem}`, () =>
      Effect.gen(function* () {
        const { as, resourceUrl } = yield* makeServers()
        const members = Array.from({ length: count }, (_, index) => [`k${index}`, 1])
        const document = { ...metadataOf(as.url), ...Object.fromEntries(members) }
        yield* as.always("/.well-known/oauth-authorization-server", Answer.json(document))
        const targets = yield* makeGrantTargets()
        const reason = yield* Effect.flip(targets.resolve(discoveredRequest(resourceUrl, client)))
        assert.include(reason.message, problem)
      })
    )
  }

  const noObjects = [
    ["[]", "it is neither a JSON object nor a form"],
    ['"text"', "it is neither a JSON object nor a form"],
    ["issuer=https%3A%2F%2Fas.example&token_endpoint=x", "it is not a JSON object"],
    ["", "its body is empty"],
    ["{", "its JSON is incomplete or malformed"],
    ["null", "it is neither a JSON object nor a form"]
  ] as const
  it.effect.each(noObjects)("the body %j is not metadata: %s", ([body, problem]) =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      yield* as.always("/.well-known/oauth-authorization-server", Answer.text(body))
      const targets = yield* makeGrantTargets()
      const reason = yield* Effect.flip(targets.resolve(discoveredRequest(resourceUrl, client)))
      assert.strictEqual(plain(reason)["_tag"], "DiscoveryFailed")
      assert.include(reason.message, `${as.url}/.well-known/oauth-authorization-server: ${problem}; `)
    })
  )

  it.effect("the longest members that metadata may have are used", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      const endpoint = `${as.url}/${"r".repeat(4095 - as.url.length)}`
      const longest = (count: number, length: number) =>
        Array.from({ length: count }, () => "s".repeat(length))
      const serve = (fields: Readonly<Record<string, unknown>>) => {
        const document = { ...metadataOf(as.url), registration_endpoint: endpoint, ...fields }
        const members = Array.from({ length: 500 - Object.keys(document).length }, (_, n) => [`k${n}`, 1])
        return as.always(
          "/.well-known/oauth-authorization-server",
          Answer.json({ ...document, ...Object.fromEntries(members) })
        )
      }
      const read = Effect.gen(function* () {
        const targets = yield* makeGrantTargets()
        return (yield* targets.resolve(discoveredRequest(resourceUrl, client))).metadata
      })
      yield* serve({ scopes_supported: longest(1000, 1) })
      assert.deepInclude(yield* read, { registrationEndpoint: endpoint, scopesSupported: longest(1000, 1) })
      yield* serve({ scopes_supported: longest(16, 4096) })
      assert.deepInclude(yield* read, { scopesSupported: longest(16, 4096) })
      for (const tooLong of [longest(1001, 1), [...longest(16, 4096), "s"], longest(1500, 100)]) {
        yield* serve({ scopes_supported: tooLong })
        assert.notProperty(yield* read, "scopesSupported")
      }
    })
  )

  it.effect("a member of metadata that is too long counts as left out", () =>
    Effect.gen(function* () {
      const nested = `${'{"a":'.repeat(2000)}1${"}".repeat(2000)}`
      const { as, resourceUrl } = yield* makeServers()
      yield* as.always(
        "/.well-known/oauth-authorization-server",
        Answer.text(
          JSON.stringify({
            ...metadataOf(as.url),
            registration_endpoint: `${as.url}/${"r".repeat(5000)}`,
            scopes_supported: Array.from({ length: 1500 }, () => 1),
            mtls_endpoint_aliases: { token_endpoint: "t".repeat(5000) }
          }).replace(/\}$/, `,"unknown":${nested}}`)
        )
      )
      const targets = yield* makeGrantTargets()
      const { metadata } = yield* targets.resolve(discoveredRequest(resourceUrl, client))
      assert.isDefined(metadata)
      assert.doesNotHaveAnyKeys(metadata, ["registrationEndpoint", "scopesSupported", "mtlsEndpointAliases"])
    })
  )
})
