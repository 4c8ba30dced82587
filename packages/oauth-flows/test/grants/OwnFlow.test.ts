import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, it } from "@effect/vitest"
import {
  decodeOAuthConfig,
  endpointProblem,
  Grants,
  type GrantRequest,
  InvalidResponse,
  OAuthHttp,
  OAuthToken
} from "@secure-mcp/oauth-core"
import { configuredEndpoint, Flow, OAuthFlows, requestFields } from "@secure-mcp/oauth-flows"
import { Answer, assertNoCanary, canary, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { correlationId, makeGrants, reasonOf, requestFor, settle } from "../TestGrants.ts"
import { accessToken, formsAt, makeServerWithMetadata } from "../TestLogin.ts"

const saml2Bearer = "urn:ietf:params:oauth:grant-type:saml2-bearer"

const saml = Flow.tokenRequest({
  grantType: "saml",
  keys: { saml_assertion: Schema.RedactedFromValue(Schema.NonEmptyString) },
  parameters: ({ keys, target: { resource } }) =>
    Effect.succeed({ grant_type: saml2Bearer, assertion: keys.saml_assertion, resource })
})

/** A key is exchanged for a token at an endpoint that is none of OAuth. */
const apiKey = Flow.make({
  grantType: "api_key",
  keys: { api_url: Schema.String, api_key: Schema.RedactedFromValue(Schema.NonEmptyString) },
  rules: ({ config, keys }) => {
    const message = endpointProblem(keys.api_url, config)
    return message === undefined ? [] : [{ path: ["api_url"], message }]
  },
  acquire: Effect.fnUntraced(function* ({ keys, request }) {
    const endpoint = configuredEndpoint("key exchange", keys.api_url)
    const message = HttpClientRequest.post(endpoint.url).pipe(HttpClientRequest.bearerToken(keys.api_key))
    const { value } = yield* requestFields({ request, endpoint, message, secrets: [keys.api_key] })
    if (!Predicate.isString(value))
      return yield* new InvalidResponse({ endpoint: endpoint.name, problem: "it has no `value`" })
    const issuedAt = yield* Clock.currentTimeMillis
    return new OAuthToken({
      accessToken: Redacted.make(value),
      tokenType: "Bearer",
      issuedAt,
      expiresAt: issuedAt + 60_000,
      reusable: true
    })
  })
})

const flows = [saml, apiKey]

const makeOwnGrants = (own: Parameters<typeof OAuthFlows.layerWith>[0] = flows) =>
  Layer.build(
    OAuthFlows.layerWith(own).pipe(Layer.provide(OAuthHttp.layer), Layer.provide(NodeHttpClient.layerUndici))
  ).pipe(Effect.map(Context.get(Grants)))

const ownRequest = (oauth: Readonly<Record<string, unknown>>, resourceUrl?: string): GrantRequest => ({
  serverName: "remote",
  config: Result.getOrThrow(decodeOAuthConfig({ enforce_https: false, ...oauth }, { grants: flows })),
  correlationId,
  resourceUrl
})

const problemsOf = (oauth: Readonly<Record<string, unknown>>) => {
  const decoded = decodeOAuthConfig(oauth, { grants: flows })
  return Result.isFailure(decoded)
    ? decoded.failure.problems.map(({ message, path }) => `${path.join(".")}: ${message}`)
    : []
}

describe("the configuration of a flow of others", () => {
  it("the rules of an own flow see its keys and those of every grant", () => {
    const keys = { grant_type: "api_key", api_url: "http://127.0.0.1/keys", api_key: "k1" }
    assert.deepStrictEqual(problemsOf(keys), [
      "api_url: must be https; for a server on this machine set `enforce_https` to false"
    ])
    assert.deepStrictEqual(problemsOf({ ...keys, enforce_https: false }), [])
    assert.deepStrictEqual(problemsOf({ ...keys, api_url: 1 }), ["api_url: Expected string"])
  })

  it("a flow that sends a token request needs a client", () => {
    assert.deepStrictEqual(problemsOf({ grant_type: "saml", saml_assertion: "PHNhbWw" }), [
      "client_id: required for saml, unless `client_metadata_url` names the client"
    ])
  })
})

describe("a flow of others", () => {
  it.effect("an own token request gets discovery, client authentication, the resource and the scope", () =>
    Effect.gen(function* () {
      const server = yield* makeServerWithMetadata()
      yield* server.always("/token", Answer.token())
      const grants = yield* makeOwnGrants()
      const request = ownRequest({
        grant_type: "saml",
        issuer: server.url,
        client_id: "gateway",
        client_secret: "the-client-secret",
        scope: "a b",
        resource: "https://mcp.example.com/mcp",
        saml_assertion: "PHNhbWw"
      })
      assert.strictEqual(accessToken(yield* grants.acquire(request, undefined)), "stub-access-token")
      const [sent] = yield* server.requestsTo("/token")
      assert.strictEqual(sent?.headers["authorization"], `Basic ${btoa("gateway:the-client-secret")}`)
      assert.deepStrictEqual(yield* formsAt(server), [
        {
          grant_type: saml2Bearer,
          assertion: "PHNhbWw",
          resource: "https://mcp.example.com/mcp",
          scope: "a b"
        }
      ])
    })
  )

  it.effect("an own flow that speaks to another endpoint has the retries of the built-in ones", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.enqueue("/keys", Answer.json({}, { status: 503 }))
      yield* server.always("/keys", Answer.json({ value: "from-key" }))
      const grants = yield* makeOwnGrants()
      const request = ownRequest({ grant_type: "api_key", api_url: server.endpoint("/keys"), api_key: "k1" })
      assert.strictEqual(accessToken(yield* settle(grants.acquire(request, undefined))), "from-key")
      const sent = yield* server.requests
      assert.deepStrictEqual(
        sent.map(({ headers }) => headers["authorization"]),
        ["Bearer k1", "Bearer k1"]
      )
    })
  )

  it.effect("no error of an own flow shows the key, even if the server repeats it", () =>
    Effect.gen(function* () {
      const secret = canary("api-key")
      const server = yield* StubAuthorizationServer.make()
      yield* server.always(
        "/keys",
        Answer.json({ error: "invalid_request", error_description: `not ${secret}` }, { status: 400 })
      )
      const grants = yield* makeOwnGrants()
      const request = ownRequest({
        grant_type: "api_key",
        api_url: server.endpoint("/keys"),
        api_key: secret
      })
      const error = yield* Effect.flip(grants.acquire(request, undefined))
      assert.strictEqual(error.reason._tag, "RequestRefused")
      assertNoCanary([error, error.message], secret)
    })
  )

  it.effect(
    "an MCP server that asks for more scope again and again does not get an own flow run each time",
    () =>
      Effect.gen(function* () {
        const server = yield* StubAuthorizationServer.make()
        yield* server.always("/keys", Answer.json({ value: "from-key" }))
        const grants = yield* makeOwnGrants()
        const request = {
          ...ownRequest({ grant_type: "api_key", api_url: server.endpoint("/keys"), api_key: "k1" }),
          challenge: { error: "insufficient_scope", scope: "more" }
        }
        const outcomes = yield* Effect.forEach([1, 2, 3, 4], () =>
          Effect.result(grants.acquire(request, undefined))
        )
        const last = outcomes.at(-1)
        assert.strictEqual(
          last && Result.isFailure(last) ? last.failure.reason._tag : undefined,
          "StepUpExhausted"
        )
        assert.isBelow((yield* server.requests).length, 4)
      })
  )

  it.effect(
    "a configuration that names an own flow which the layer does not have is an error that says so",
    () =>
      Effect.gen(function* () {
        const grants = yield* makeGrants()
        const request = ownRequest({
          grant_type: "api_key",
          api_url: "https://api.example.com",
          api_key: "k1"
        })
        assert.deepInclude(reasonOf(yield* Effect.flip(grants.acquire(request, undefined))), {
          _tag: "Misconfigured",
          problem: 'there is no flow for `grant_type` "api_key": give it to `OAuthFlows.layerWith`'
        })
      })
  )

  it.effect("a flow with the name of a built-in grant replaces it", () =>
    Effect.gen(function* () {
      const fixed = Flow.make({
        grantType: "client_credentials",
        keys: {},
        acquire: () =>
          Effect.succeed(
            new OAuthToken({
              accessToken: Redacted.make("fixed"),
              tokenType: "Bearer",
              issuedAt: 0,
              reusable: true
            })
          )
      })
      const grants = yield* makeOwnGrants([fixed])
      const request = requestFor({ token_url: "http://127.0.0.1:1/token" })
      assert.strictEqual(accessToken(yield* grants.acquire(request, undefined)), "fixed")
    })
  )

  it.effect("layerWith without flows has the built-in grants", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.token())
      const grants = yield* makeOwnGrants([])
      const token = yield* grants.acquire(requestFor({ token_url: server.endpoint("/token") }), undefined)
      assert.strictEqual(accessToken(token), "stub-access-token")
    })
  )
})
