import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, it } from "@effect/vitest"
import { OAuthHttp } from "@secure-mcp/oauth-core"
import { Answer } from "@secure-mcp/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { discoveredEndpoint } from "../src/endpoint/Endpoint.ts"
import { GrantInspection } from "../src/internal.ts"
import { discoveredRequest, makeServers, pathsOf, redirectUri } from "./TestResolution.ts"
import { settle } from "./TestGrants.ts"

const makeInspection = Effect.map(
  Layer.build(
    GrantInspection.layer("10 seconds").pipe(
      Layer.provide(OAuthHttp.layer),
      Layer.provide(NodeHttpClient.layerUndici)
    )
  ),
  Context.get(GrantInspection)
)

describe("an inspection", () => {
  it.effect("an inspection names every place in order, and plans a registration that it does not make", () =>
    Effect.gen(function* () {
      const { as, mcp, resourceUrl } = yield* makeServers()
      const { inspect } = yield* makeInspection
      const found = yield* inspect(discoveredRequest(resourceUrl), { redirectUri })
      assert.deepStrictEqual(found.places, [
        {
          kind: "protected resource",
          url: mcp.endpoint("/.well-known/oauth-protected-resource/mcp"),
          status: 200,
          isUsed: true,
          problem: undefined
        },
        {
          kind: "authorization server",
          url: as.endpoint("/.well-known/oauth-authorization-server"),
          status: 200,
          isUsed: true,
          problem: undefined
        }
      ])
      const target = Result.getOrThrow(found.target)
      const plan = Result.getOrThrow(target.client)
      assert.strictEqual(plan._tag, "Registration")
      assert.deepStrictEqual(pathsOf(yield* as.requests), ["GET /.well-known/oauth-authorization-server"])
    })
  )

  it.effect("an inspection reports the places that are not used, each once in spite of retries", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      yield* as.always("/.well-known/oauth-authorization-server", Answer.text("x", { status: 503 }))
      yield* as.always("/.well-known/openid-configuration", Answer.json({ issuer: "https://other.example" }))
      const { inspect } = yield* makeInspection
      const { places, target } = yield* settle(inspect(discoveredRequest(resourceUrl), { redirectUri }))
      assert.deepStrictEqual(
        places.slice(1).map(({ isUsed, problem, status }) => [status, isUsed, problem]),
        [
          [503, false, "HTTP 503"],
          [200, false, "its `token_endpoint` is missing or of the wrong type"]
        ]
      )
      assert.isTrue(Result.isFailure(target))
    })
  )

  it.effect("an inspection does not show the query of a place", () =>
    Effect.gen(function* () {
      const { mcp, resourceUrl } = yield* makeServers()
      const { inspect } = yield* makeInspection
      const { places } = yield* inspect(discoveredRequest(`${resourceUrl}?key=hidden`), { redirectUri })
      assert.notInclude(JSON.stringify(places), "hidden")
      assert.strictEqual(places[0]?.url, `${mcp.endpoint("/.well-known/oauth-protected-resource/mcp")}?…`)
    })
  )

  it.effect("an inspection reaches an endpoint that answers anything at all, and sends no credential", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      const { reach } = yield* makeInspection
      const statuses = [200, 302, 405, 503]
      for (const status of statuses) {
        yield* as.enqueue("/token", Answer.text("x", { status }))
        const endpoint = discoveredEndpoint("token", as.endpoint("/token"))
        assert.strictEqual(yield* reach(endpoint, discoveredRequest(resourceUrl)), status)
      }
      const sent = yield* as.requestsTo("/token")
      assert.deepStrictEqual(
        sent.map(({ headers, method }) => [method, headers.authorization]),
        statuses.map(() => ["GET", undefined])
      )
    })
  )
})
