import { assert, describe, it } from "@effect/vitest"
import { Answer, refusedPort, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { settle } from "../TestGrants.ts"
import {
  discoveredRequest,
  makeGrantTargets,
  makeResolutionOn,
  makeServers,
  metadataOf,
  pathsOf
} from "../TestResolution.ts"

const client = { client_id: "gateway" }
const oauthPlace = "/.well-known/oauth-authorization-server"
const resourcePlace = "/.well-known/oauth-protected-resource"

describe("the places of metadata", () => {
  it.effect.each([401, 403, 405, 500, 502, 503])(
    "the status %d at one place leads on to the next",
    (status) =>
      Effect.gen(function* () {
        const { as, resourceUrl } = yield* makeServers()
        yield* as.always(oauthPlace, Answer.text("x", { status }))
        yield* as.always("/.well-known/openid-configuration", Answer.json(metadataOf(as.url)))
        const targets = yield* makeGrantTargets()
        const found = yield* targets.resolve(discoveredRequest(resourceUrl, client))
        assert.strictEqual(found.tokenEndpoint.url, as.endpoint("/token"))
        assert.lengthOf(yield* as.requests, 2)
      })
  )

  it.effect("a redirect within the origin is followed", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      yield* as.always(oauthPlace, Answer.redirect("/moved", 308))
      yield* as.always("/moved", Answer.json(metadataOf(as.url)))
      const targets = yield* makeGrantTargets()
      const found = yield* targets.resolve(discoveredRequest(resourceUrl, client))
      assert.strictEqual(found.issuer, as.url)
    })
  )

  it.effect("redirects in a circle end", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      yield* as.always(oauthPlace, Answer.redirect(oauthPlace))
      const targets = yield* makeGrantTargets()
      const reason = yield* Effect.flip(targets.resolve(discoveredRequest(resourceUrl, client)))
      assert.include(reason.message, "a redirect (HTTP 302)")
      assert.lengthOf(yield* as.requestsTo(oauthPlace), 4)
    })
  )

  it.effect("a challenge that names an unreachable place falls back to the server's own", () =>
    Effect.gen(function* () {
      const { as, mcp, resourceUrl } = yield* makeServers()
      const unreachable = [
        `http://127.0.0.1:${yield* refusedPort}/metadata`,
        mcp.url.replace("http:", "https:") + resourcePlace,
        mcp.endpoint("/nothing-here")
      ]
      for (const resourceMetadata of unreachable) {
        const targets = yield* makeGrantTargets()
        const request = { ...discoveredRequest(resourceUrl, client), challenge: { resourceMetadata } }
        assert.strictEqual((yield* settle(targets.resolve(request))).issuer, as.url, resourceMetadata)
      }
    })
  )

  it.effect(
    "a challenge cannot lead to a place that only this machine reaches; the server's own is asked",
    () =>
      Effect.gen(function* () {
        const mcp = "https://mcp.example"
        const internal = yield* StubAuthorizationServer.make()
        const { asked, targets } = yield* makeResolutionOn({
          [`${mcp}${resourcePlace}/mcp`]: {
            resource: `${mcp}/mcp`,
            authorization_servers: ["https://as.example"]
          },
          [`https://as.example${oauthPlace}`]: metadataOf("https://as.example")
        })
        const request = discoveredRequest(`${mcp}/mcp`, client)
        yield* targets.resolve({
          ...request,
          challenge: { resourceMetadata: internal.endpoint("/metadata") }
        })
        assert.isEmpty(yield* internal.requests)
        assert.isFalse(asked.some((url) => url.startsWith(internal.url)))
      })
  )

  it.effect("the path is tried as it is written, then without query and last slash, then the root", () =>
    Effect.gen(function* () {
      const mcp = yield* StubAuthorizationServer.make()
      yield* mcp.always("/.well-known/oauth-authorization-server", Answer.status(503))
      const targets = yield* makeGrantTargets()
      yield* settle(Effect.flip(targets.resolve(discoveredRequest(mcp.endpoint("/mcp/?project=1"), client))))
      assert.deepStrictEqual(pathsOf(yield* mcp.requests).slice(0, 5), [
        `GET ${resourcePlace}/mcp/?project=1`,
        `GET ${resourcePlace}/mcp/`,
        `GET ${resourcePlace}/mcp?project=1`,
        `GET ${resourcePlace}/mcp`,
        `GET ${resourcePlace}`
      ])
    })
  )
})
