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

  it.effect.each<readonly [what: string, oauth: Record<string, unknown>, found: unknown]>([
    [
      "a login in a browser",
      { client_secret: "a-client-secret" },
      { authentication: "client_secret_basic", login: ["/authorize", "S256"], assertion: undefined }
    ],
    [
      "a login in a browser at an endpoint that is configured",
      {
        client_secret: "a-client-secret",
        authorization_url: "https://as.example.com/authorize?prompt=x",
        token_url: "https://as.example.com/token",
        use_pkce: true
      },
      {
        authentication: "client_secret_basic",
        login: ["https://as.example.com/authorize", "S256"],
        assertion: undefined
      }
    ],
    [
      "a login on another device",
      {
        grant_type: "device_code",
        token_url: "https://as.example.com/token",
        device_authorization_url: "https://as.example.com/device?x=1"
      },
      { authentication: "none", login: ["https://as.example.com/device", undefined], assertion: undefined }
    ],
    [
      "a machine's own grant",
      { grant_type: "client_credentials", client_secret: "a-client-secret" },
      { authentication: "client_secret_basic", login: undefined, assertion: undefined }
    ],
    [
      "an assertion",
      { grant_type: "jwt_bearer", client_secret: "a-client-secret", assertion: "a.b.c" },
      { authentication: "client_secret_basic", login: undefined, assertion: "assertion" }
    ],
    [
      "a token that is exchanged",
      {
        grant_type: "token_exchange",
        client_secret: "a-client-secret",
        subject_token: "a.b.c",
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt"
      },
      { authentication: "client_secret_basic", login: undefined, assertion: "subject_token" }
    ],
    [
      "a token that an identity provider exchanges for an assertion",
      {
        grant_type: "jwt_bearer",
        client_secret: "a-client-secret",
        identity_provider: {
          token_url: "https://idp.example.com/token",
          client_id: "gateway-at-idp",
          subject_token: "a.b.c"
        }
      },
      {
        authentication: "client_secret_basic",
        login: undefined,
        assertion: "identity_provider.subject_token"
      }
    ],
    [
      "an assertion whose file is not there",
      { grant_type: "jwt_bearer", client_secret: "a-client-secret", assertion: "${file:/nowhere/assertion}" },
      {
        authentication: "client_secret_basic",
        login: undefined,
        assertion: "Failed: the file of `assertion`, /nowhere/assertion, cannot be read"
      }
    ]
  ])("an inspection of %s says what would be sent", ([, oauth, expected]) =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      const { inspect } = yield* makeInspection
      const { assertion, authentication, login } = yield* inspect(
        discoveredRequest(resourceUrl, { client_id: "gateway", ...oauth }),
        { redirectUri }
      )
      const said = Result.match({
        onSuccess: (value: string | undefined) => value?.replace(as.url, ""),
        onFailure: ({ message }: { readonly message: string }) => `Failed: ${message}`
      })
      assert.deepStrictEqual(
        {
          authentication: authentication && said(authentication),
          login: login && [said(login.endpoint), said(login.pkce)],
          assertion: assertion && said(assertion)
        },
        expected
      )
    })
  )
})
