import { assert, describe, it } from "@effect/vitest"
import { AddressLookup, type AddressRule, OAuthHttp, OAuthToken } from "@secure-mcp/oauth-core"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { AddressGuard } from "../../src/endpoint/AddressGuard.ts"
import { configuredEndpoint, discoveredEndpoint } from "../../src/endpoint/Endpoint.ts"
import { EndpointClient } from "../../src/endpoint/EndpointClient.ts"
import { makeGrants, settle, tokenAnswer } from "../TestGrants.ts"
import {
  addresses,
  discoveredRequest,
  makeResolution,
  makeResolutionOn,
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
      const { asked, targets } = yield* makeResolutionOn(web(named, metadataOf(named)), lookup)
      const reason = yield* Effect.flip(targets.resolve(discoveredRequest(server, client)))
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
      const { asked, targets } = yield* makeResolutionOn(
        {
          [`${origin}/.well-known/oauth-protected-resource/mcp`]: {
            resource: configured,
            authorization_servers: [named]
          },
          [`${named}/.well-known/oauth-authorization-server`]: metadataOf(named)
        },
        lookup
      )
      const outcome = yield* Effect.result(targets.resolve(discoveredRequest(configured, client)))
      assert.strictEqual(outcome._tag, isAllowed ? "Success" : "Failure")
      assert.strictEqual(asked.length, isAllowed ? 2 : 1)
    })
  )

  it.effect.each([
    [
      "https://mcp.example/mcp",
      "https://as.example",
      ["93.184.215.14"],
      ["127.0.0.1", "10.1.2.3", "169.254.169.254"]
    ],
    [
      "https://10.0.0.5/mcp",
      "https://inside.example",
      ["10.1.2.3", "8.8.8.8"],
      ["127.0.0.1", "169.254.169.254"]
    ],
    ["https://mcp.example/mcp", "https://mcp.example", ["127.0.0.1"], []]
  ] as const)(
    "the connection for %s to %s may lead to %j and not to %j, whatever DNS says by then",
    ([resourceUrl, named, allowed, refused]) =>
      Effect.gen(function* () {
        const rules: Array<AddressRule | undefined> = []
        const client = HttpClient.make((request) =>
          Effect.succeed(HttpClientResponse.fromWeb(request, Response.json({})))
        )
        const http = Layer.succeed(OAuthHttp, {
          connection: (_, { addresses } = {}) => {
            rules.push(addresses)
            return Effect.succeed({ client })
          }
        })
        const services = yield* Layer.build(
          EndpointClient.layer("10 seconds").pipe(
            Layer.provide([AddressGuard.layer.pipe(Layer.provide(lookup)), http])
          )
        )
        yield* Context.get(services, EndpointClient).send(
          {
            request: discoveredRequest(resourceUrl, { client_id: "gateway" }),
            endpoint: discoveredEndpoint("token", `${named}/token`),
            message: HttpClientRequest.get(`${named}/token`),
            secrets: []
          },
          () => Effect.void
        )
        const rule = rules.at(-1)
        for (const address of allowed) assert.isTrue(rule?.allows(address) ?? true, address)
        for (const address of refused) assert.isFalse(rule?.allows(address), address)
      })
  )

  const proxied = [
    ["https://inside.example", true],
    ["https://unknown.example", true],
    ["https://10.0.0.1", false],
    ["https://169.254.169.254", false],
    ["https://localhost", false],
    ["https://direct.example", false]
  ] as const

  it.effect.each(proxied)(
    "behind a proxy, which looks names up itself, %s may be named: %s",
    ([named, isAllowed]) =>
      Effect.gen(function* () {
        const lookedUp: Array<string> = []
        const lookup = Layer.succeed(AddressLookup, {
          lookup: (name) => {
            lookedUp.push(name)
            return name === "direct.example"
              ? Effect.succeed(["10.1.2.3"])
              : Effect.fail({ code: "ENOTFOUND" })
          }
        })
        const documents = {
          ...web(named, {}),
          [`${named}/.well-known/oauth-authorization-server`]: metadataOf(named)
        }
        const usesProxy = (url: string) => !/direct|localhost/.test(url)
        const { asked, targets } = yield* makeResolutionOn(documents, lookup, usesProxy)
        const outcome = yield* Effect.result(targets.resolve(discoveredRequest(server, client)))
        assert.strictEqual(outcome._tag, isAllowed ? "Success" : "Failure")
        assert.strictEqual(asked.length, isAllowed ? 2 : 1)
        assert.deepStrictEqual([...new Set(lookedUp)], named.includes("direct") ? ["direct.example"] : [])
      })
  )

  it.effect(
    "a discovered registration endpoint at a private address gets no request, and a configured issuer there does",
    () =>
      Effect.gen(function* () {
        const metadata = { ...metadataOf(issuer), registration_endpoint: "https://inside.example/register" }
        const { asked, targets } = yield* makeResolutionOn(web(issuer, metadata), lookup)
        const options = { redirectUri: "https://gateway.example/callback" }
        const reason = yield* Effect.flip(targets.resolve(discoveredRequest(server), options))
        assert.include(reason.message, "it leads to a private address")
        assert.lengthOf(asked, 2)

        const named = "https://inside.example"
        const inside = yield* makeResolutionOn(
          { [`${named}/.well-known/oauth-authorization-server`]: metadataOf(named) },
          lookup
        )
        const found = yield* inside.targets.resolve(discoveredRequest(server, { ...client, issuer: named }))
        assert.strictEqual(found.issuer, named)
      })
  )

  const token = Answer.json({ access_token: "t", token_type: "Bearer" })

  it.effect(
    "credentials go to a configured endpoint at a loopback address, and not to a discovered one",
    () =>
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

  it.effect("a host whose name cannot be looked up gets no request", () =>
    Effect.gen(function* () {
      const nowhere = Layer.succeed(AddressLookup, { lookup: () => Effect.fail({ code: "ENOTFOUND" }) })
      const { asked, targets } = yield* makeResolutionOn(web(issuer, metadataOf(issuer)), nowhere)
      const reason = yield* Effect.flip(settle(targets.resolve(discoveredRequest(server, client))))
      assert.deepInclude(plain(reason), {
        _tag: "ConnectionFailed",
        problem: "the host name is unknown",
        code: "ENOTFOUND"
      })
      assert.lengthOf(asked, 1)
    })
  )

  it.effect("a private address is not refused for good while the configured host cannot be looked up", () =>
    Effect.gen(function* () {
      const flaky = Layer.succeed(AddressLookup, {
        lookup: (name) =>
          name === "mcp.example" ? Effect.fail({ code: "EAI_AGAIN" }) : Effect.succeed(["10.1.2.3"])
      })
      const { targets } = yield* makeResolutionOn(web(issuer, metadataOf(issuer)), flaky)
      const reason = yield* Effect.flip(settle(targets.resolve(discoveredRequest(server, client))))
      assert.deepInclude(plain(reason), { _tag: "ConnectionFailed", code: "EAI_AGAIN" })
    })
  )

  it.effect("the system's resolver fails with its own error code", () =>
    Effect.gen(function* () {
      const { lookup } = yield* AddressLookup
      const { code } = yield* Effect.flip(lookup("nowhere.invalid"))
      assert.match(code, /^(?:ENOTFOUND|EAI_AGAIN)$/)
    })
  )

  it.effect.each(["EAI_AGAIN", "ENOTFOUND", "ESERVFAIL", "ETIMEOUT"])(
    "a refresh token is sent again after the address lookup failed with %s, because nothing was sent",
    (code) =>
      Effect.gen(function* () {
        let lookups = 0
        const once = Layer.succeed(AddressLookup, {
          lookup: () => (++lookups === 1 ? Effect.fail({ code }) : Effect.succeed(["93.184.215.14"]))
        })
        const asked: Array<string> = []
        const http = HttpClient.make((request, url) =>
          Effect.sync(() => {
            asked.push(url.href)
            const document = url.pathname.startsWith("/.well-known/") ? metadata : tokenAnswer()
            return HttpClientResponse.fromWeb(request, document.clone())
          })
        )
        const metadata = Response.json({
          ...metadataOf(issuer),
          token_endpoint: "https://tokens.example/token"
        })
        const grants = yield* makeGrants({}, Layer.succeed(HttpClient.HttpClient, http)).pipe(
          Effect.provide(once)
        )
        const request = discoveredRequest(undefined, { ...client, issuer })
        const previous = new OAuthToken({
          accessToken: Redacted.make("old"),
          refreshToken: Redacted.make("first"),
          tokenType: "Bearer",
          issuedAt: 0,
          reusable: true,
          grantedTo: { clientId: "gateway", issuer }
        })
        yield* settle(grants.acquire(request, previous))
        assert.deepStrictEqual(asked.slice(1), ["https://tokens.example/token"])
        assert.isAtLeast(lookups, 2)
      })
  )
})
