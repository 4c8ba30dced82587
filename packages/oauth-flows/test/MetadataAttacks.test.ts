import { assert, describe, it } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import { AddressLookup } from "../src/AddressGuard.ts"
import { configuredEndpoint, discoveredEndpoint } from "../src/Endpoint.ts"
import { settle } from "./grants.ts"
import { EndpointClient } from "../src/EndpointClient.ts"
import {
  addresses,
  discoveredRequest,
  makeResolution,
  makeResolutionOn,
  makeResolvedClients,
  makeServers,
  metadataOf,
  plain
} from "./resolution.ts"

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
    ["a slash more", issuer, `${issuer}/`],
    ["a slash less", `${issuer}/`, issuer],
    ["another case", issuer, "https://AS.example"],
    ["a default port", issuer, `${issuer}:443`],
    ["a path", issuer, `${issuer}/tenant`]
  ] as const

  it.effect.each(mixedUp)("metadata whose issuer differs by %s is not used", ([, named, says]) =>
    Effect.gen(function* () {
      const { asked, resolved } = yield* makeResolutionOn(web(named, { ...metadataOf(issuer), issuer: says }))
      const reason = yield* Effect.flip(resolved.resolve(discoveredRequest(server, client)))
      assert.strictEqual(plain(reason)["_tag"], "DiscoveryFailed")
      assert.include(reason.message, "its `issuer` is not the authorization server that was asked")
      assert.isFalse(asked.includes(`${issuer}/token`))
    })
  )

  it.effect("credentials configured for one server do not follow the MCP server to another", () =>
    Effect.gen(function* () {
      const { mcp, resourceUrl } = yield* makeServers()
      const evil = yield* StubAuthorizationServer.make()
      yield* evil.always("/.well-known/oauth-authorization-server", Answer.json(metadataOf(evil.url)))
      const resolved = yield* makeResolvedClients()
      const request = discoveredRequest(resourceUrl, { ...client, client_secret: "secret" })
      yield* resolved.resolve(request)
      const url = mcp.endpoint("/elsewhere")
      yield* mcp.always(
        "/elsewhere",
        Answer.json({ resource: resourceUrl, authorization_servers: [evil.url] })
      )
      const challenged = { ...request, challenge: { resourceMetadata: url } }
      const reason = yield* Effect.flip(resolved.resolve(challenged))
      assert.include(reason.message, "names another authorization server than the one our client belongs to")
    })
  )
})

describe("metadata that leads to an unsafe place", () => {
  const unsafe = [
    ["token_endpoint", "http://as.example/token", "must be https"],
    ["authorization_endpoint", "http://as.example/authorize", "must be https"],
    ["authorization_endpoint", "javascript:alert(1)", "must be an absolute http(s) URL"],
    ["authorization_endpoint", "file:///etc/passwd", "must be an absolute http(s) URL"],
    ["registration_endpoint", "http://as.example/register", "must be https"],
    ["revocation_endpoint", "http://127.0.0.1/revoke", "must be https"],
    ["device_authorization_endpoint", "/device", "must be an absolute http(s) URL"],
    ["token_endpoint", "https://user:pw@as.example/token", "must not contain a user name"],
    ["token_endpoint", "https://as.example/token#x", "must not contain a fragment"]
  ] as const

  it.effect.each(unsafe)("%s %s of an https issuer is refused, enforce_https or not", ([key, url, problem]) =>
    Effect.gen(function* () {
      for (const enforce_https of [true, false]) {
        const { asked, resolved } = yield* makeResolutionOn(
          web(issuer, { ...metadataOf(issuer), [key]: url })
        )
        const request = discoveredRequest(server, { ...client, enforce_https })
        const reason = yield* Effect.flip(resolved.resolve(request))
        assert.deepInclude(plain(reason), { _tag: "DiscoveryFailed" })
        assert.include(reason.message, `its \`${key}\` ${problem}`)
        assert.lengthOf(asked, 2)
      }
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
      const { asked, resolved } = yield* makeResolutionOn(web(named, metadataOf(named)))
      const request = discoveredRequest(server, { ...client, enforce_https: true })
      const reason = yield* Effect.flip(resolved.resolve(request))
      assert.include(reason.message, `the issuer ${problem}`)
      assert.lengthOf(asked, 1)
    })
  )

  it.effect("a metadata URL in a challenge is held to the same rules", () =>
    Effect.gen(function* () {
      for (const url of ["http://mcp.example/metadata", "file:///etc/passwd", "/metadata", ""]) {
        const { asked, resolved } = yield* makeResolutionOn({})
        const request = discoveredRequest(server, { ...client, enforce_https: true })
        const challenge = { resourceMetadata: url }
        const reason = yield* Effect.flip(resolved.resolve({ ...request, challenge }))
        assert.include(reason.message, "its URL must be")
        assert.isEmpty(asked)
      }
    })
  )

  it.effect("a redirect is not followed", () =>
    Effect.gen(function* () {
      const { as, mcp, resourceUrl } = yield* makeServers()
      const elsewhere = yield* StubAuthorizationServer.make()
      const to = Answer.redirect(elsewhere.endpoint("/metadata"))
      yield* as.always("/.well-known/oauth-authorization-server", to)
      yield* as.always("/.well-known/openid-configuration", to)
      const resolved = yield* makeResolvedClients()
      const reason = yield* Effect.flip(resolved.resolve(discoveredRequest(resourceUrl, client)))
      assert.include(reason.message, "a redirect (HTTP 302), which is not followed")
      yield* mcp.always("/.well-known/oauth-protected-resource/mcp", to)
      const again = yield* makeResolvedClients()
      yield* Effect.flip(again.resolve(discoveredRequest(resourceUrl, client)))
      assert.isEmpty(yield* elsewhere.requests)
    })
  )

  it.effect("metadata over 1 MiB is not read to its end", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      yield* as.always("/.well-known/oauth-authorization-server", Answer.giantBody(64 * 1024 * 1024))
      const resolved = yield* makeResolvedClients()
      const reason = yield* Effect.flip(resolved.resolve(discoveredRequest(resourceUrl, client)))
      assert.include(reason.message, "its body is over 1 MiB")
      yield* as.aborted(1)
    })
  )

  it.effect("a body that is no JSON object is not metadata", () =>
    Effect.gen(function* () {
      for (const body of [
        "[]",
        '"text"',
        "issuer=https%3A%2F%2Fas.example&token_endpoint=x",
        "",
        "{",
        "null"
      ]) {
        const { as, resourceUrl } = yield* makeServers()
        yield* as.always("/.well-known/oauth-authorization-server", Answer.text(body))
        const resolved = yield* makeResolvedClients()
        const reason = yield* Effect.flip(resolved.resolve(discoveredRequest(resourceUrl, client)))
        assert.strictEqual(plain(reason)["_tag"], "DiscoveryFailed")
      }
    })
  )
})

describe("server-side request forgery", () => {
  const inside = [
    ["loopback", "https://127.0.0.1"],
    ["loopback", "https://localhost"],
    ["loopback", "https://[::1]"],
    ["loopback", "https://[::ffff:127.0.0.1]"],
    ["loopback", "https://2130706433"],
    ["private", "https://10.0.0.1"],
    ["private", "https://172.31.255.255"],
    ["private", "https://192.168.1.1"],
    ["private", "https://[fd12::1]"],
    ["link-local", "https://169.254.1.1"],
    ["link-local", "https://[fe80::1]"],
    ["metadata", "https://169.254.169.254"],
    ["metadata", "https://[64:ff9b::a9fe:a9fe]"],
    ["reserved", "https://0.0.0.0"],
    ["reserved", "https://[::]"],
    ["private", "https://inside.example"],
    ["link-local", "https://both.example"]
  ] as const

  const lookup = addresses({
    "inside.example": ["10.1.2.3"],
    "both.example": ["93.184.215.14", "fe80::1"]
  })

  it.effect.each(inside)("a public server cannot send us to a %s address: %s", ([zone, named]) =>
    Effect.gen(function* () {
      const { asked, resolved } = yield* makeResolutionOn(web(named, metadataOf(named)), lookup)
      const reason = yield* Effect.flip(resolved.resolve(discoveredRequest(server, client)))
      assert.deepInclude(plain(reason), { _tag: "DiscoveryFailed" })
      assert.include(reason.message, `it leads to a ${zone} address`)
      assert.lengthOf(asked, 1, "only the server itself was asked")
    })
  )

  const near = [
    ["http://127.0.0.1:8080/mcp", "http://localhost:9000", true],
    ["http://localhost:8080/mcp", "http://[::1]:9000", true],
    ["https://inside.example/mcp", "https://192.168.7.7", true],
    ["https://10.0.0.5/mcp", "https://10.0.0.6", true],
    ["https://10.0.0.5/mcp", "https://as.example", true],
    ["https://10.0.0.5/mcp", "https://127.0.0.1", false],
    ["http://127.0.0.1:8080/mcp", "http://10.0.0.5", false],
    ["http://169.254.1.1/mcp", "http://169.254.169.254", false]
  ] as const

  it.effect.each(near)("%s may name %s: %s", ([configured, named, isAllowed]) =>
    Effect.gen(function* () {
      const { origin } = new URL(configured)
      const { asked, resolved } = yield* makeResolutionOn(
        {
          [`${origin}/.well-known/oauth-protected-resource/mcp`]: {
            resource: configured,
            authorization_servers: [named]
          },
          [`${named}/.well-known/oauth-authorization-server`]: metadataOf(named)
        },
        lookup
      )
      const outcome = yield* Effect.result(resolved.resolve(discoveredRequest(configured, client)))
      assert.strictEqual(outcome._tag, isAllowed ? "Success" : "Failure")
      assert.strictEqual(asked.length, isAllowed ? 2 : 1)
    })
  )

  it.effect("a registration endpoint inside is not asked, and a configured one inside is", () =>
    Effect.gen(function* () {
      const metadata = { ...metadataOf(issuer), registration_endpoint: "https://inside.example/register" }
      const { asked, resolved } = yield* makeResolutionOn(web(issuer, metadata), lookup)
      const options = { redirectUri: "https://gateway.example/callback" }
      const reason = yield* Effect.flip(resolved.resolve(discoveredRequest(server), options))
      assert.include(reason.message, "it leads to a private address")
      assert.lengthOf(asked, 2)

      const named = "https://inside.example"
      const inside = yield* makeResolutionOn(
        { [`${named}/.well-known/oauth-authorization-server`]: metadataOf(named) },
        lookup
      )
      const found = yield* inside.resolved.resolve(discoveredRequest(server, { ...client, issuer: named }))
      assert.strictEqual(found.issuer, named)
    })
  )

  const token = Answer.json({ access_token: "t", token_type: "Bearer" })

  it.effect("credentials go to a configured endpoint inside, and not to a discovered one", () =>
    Effect.gen(function* () {
      const inside = yield* StubAuthorizationServer.make()
      yield* inside.always("/token", token)
      const endpointClient = Context.get(yield* makeResolution(), EndpointClient)
      const request = discoveredRequest(server, { ...client, client_secret: "secret" })
      const form = {
        request,
        client: {
          clientId: "gateway",
          clientSecret: undefined,
          clientSecretExpiresAt: undefined,
          authenticationMethod: "none",
          audience: issuer,
          source: "configured"
        },
        parameters: { grant_type: "refresh_token" }
      } as const
      const url = inside.endpoint("/token")
      const reason = yield* Effect.flip(
        endpointClient.post({ ...form, endpoint: discoveredEndpoint("token", url) }, () => Effect.void)
      )
      assert.include(reason.message, "it leads to a loopback address")
      assert.isEmpty(yield* inside.requests)
      yield* endpointClient.post({ ...form, endpoint: configuredEndpoint("token", url) }, () => Effect.void)
      assert.lengthOf(yield* inside.requests, 1)
    })
  )

  it.effect("a name that cannot be looked up is not asked", () =>
    Effect.gen(function* () {
      const nowhere = Layer.succeed(AddressLookup, { lookup: () => Effect.fail({ code: "ENOTFOUND" }) })
      const { asked, resolved } = yield* makeResolutionOn(web(issuer, metadataOf(issuer)), nowhere)
      const reason = yield* Effect.flip(settle(resolved.resolve(discoveredRequest(server, client))))
      assert.deepInclude(plain(reason), { _tag: "ConnectionFailed", problem: "ENOTFOUND" })
      assert.lengthOf(asked, 1)
    })
  )
})
