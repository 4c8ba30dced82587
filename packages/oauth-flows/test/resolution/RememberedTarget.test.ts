import { assert, describe, it } from "@effect/vitest"
import { Answer, ProviderBehaviour } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { makeGrants, settle } from "../TestGrants.ts"
import { accessToken, assertFailsWith, failureOf, formsAt, refreshToken, responseTo } from "../TestLogin.ts"
import { discoveredRequest, makeServers, redirectUri } from "../TestResolution.ts"

const publicClients = { metadata: { token_endpoint_auth_methods_supported: ["none"] } }

/** A person's grant at a server that was found through the challenge alone, and registered the client. */
const makeGranted = Effect.fnUntraced(function* (oauth: Readonly<Record<string, unknown>> = {}) {
  const servers = yield* makeServers(publicClients)
  const { as, mcp, resourceUrl } = servers
  const document = "/elsewhere/resource.json"
  yield* mcp.always(document, Answer.json({ resource: resourceUrl, authorization_servers: [as.url] }))
  yield* mcp.always("/.well-known/oauth-protected-resource/mcp", Answer.status(404))
  yield* as.always("/register", yield* ProviderBehaviour.registersClients())
  yield* as.always("/token", yield* ProviderBehaviour.rotatesRefreshTokens)
  yield* as.always("/revoke", Answer.json({}))
  const request = discoveredRequest(resourceUrl, oauth)
  const challenged = { ...request, challenge: { resourceMetadata: mcp.endpoint(document) } }
  const grants = yield* makeGrants({ authTimeout: "1 hour" })
  const { authorizationUrl } = yield* grants.authorize(challenged, redirectUri)
  const { token } = yield* grants.redeem(responseTo(new URL(authorizationUrl), { iss: undefined }))
  return { ...servers, grants, request, token }
})

describe("a renewal without metadata", () => {
  it.effect(
    "a grant whose metadata stands only where the challenge said is renewed, also after a restart",
    () =>
      Effect.gen(function* () {
        const { as, grants, request, resourceUrl, token } = yield* makeGranted()
        const renewed = yield* grants.acquire(request, token)
        assert.strictEqual(refreshToken(renewed), "refresh-1-2")
        const restarted = yield* makeGrants({ authTimeout: "1 hour" })
        assert.strictEqual(accessToken(yield* restarted.acquire(request, renewed)), "access-1-3")
        const [, ...refreshes] = yield* formsAt(as)
        assert.deepStrictEqual(
          refreshes.map(({ client_id, resource }) => [client_id, resource]),
          [
            ["client-1", resourceUrl],
            ["client-1", resourceUrl]
          ]
        )
      })
  )

  const outages = [
    ["answers HTTP 503", Answer.status(503)],
    ["hangs", Answer.hang],
    ["is gone", Answer.status(404)]
  ] as const
  it.effect.each(outages)("a grant is renewed while metadata %s", ([, outage]) =>
    Effect.gen(function* () {
      const { as, mcp, request, token } = yield* makeGranted()
      const restarted = yield* makeGrants({ authTimeout: "1 hour" })
      yield* mcp.always("/.well-known/oauth-protected-resource/mcp", outage)
      yield* as.always("/.well-known/oauth-authorization-server", outage)
      assert.strictEqual(accessToken(yield* settle(restarted.acquire(request, token))), "access-1-2")
    })
  )

  it.effect("a grant of a configured client is renewed with the authentication that its server wanted", () =>
    Effect.gen(function* () {
      const { as, grants, request, serveMetadata } = yield* makeGranted({
        client_id: "ours",
        client_secret: "s"
      })
      yield* serveMetadata({ token_endpoint_auth_methods_supported: ["client_secret_post"] })
      const restarted = yield* makeGrants({ authTimeout: "1 hour" })
      const { authorizationUrl } = yield* restarted.authorize(
        { ...request, config: { ...request.config, issuer: as.url } },
        redirectUri
      )
      const { token } = yield* restarted.redeem(responseTo(new URL(authorizationUrl), { iss: undefined }))
      yield* as.always("/.well-known/oauth-authorization-server", Answer.status(404))
      yield* grants.acquire(request, token)
      const forms = yield* formsAt(as)
      assert.deepInclude(forms.at(-1), { grant_type: "refresh_token", client_id: "ours", client_secret: "s" })
    })
  )

  it.effect("a grant is revoked where it remembers, while metadata is away", () =>
    Effect.gen(function* () {
      const { as, mcp, request, token } = yield* makeGranted()
      const restarted = yield* makeGrants({ authTimeout: "1 hour" })
      yield* mcp.always("/.well-known/oauth-protected-resource/mcp", Answer.status(503))
      assert.strictEqual(yield* settle(restarted.revoke(request, token)), "Revoked")
      assert.lengthOf(yield* formsAt(as, "/revoke"), 2)
    })
  )

  it.effect("a remembered endpoint that the configuration no longer allows is not used", () =>
    Effect.gen(function* () {
      const { as, request, token } = yield* makeGranted()
      const restarted = yield* makeGrants({ authTimeout: "1 hour" })
      const strict = { ...request, config: { ...request.config, enforceHttps: true } }
      yield* assertFailsWith(restarted.acquire(strict, token), "Misconfigured")
      assert.lengthOf(yield* formsAt(as), 1)
    })
  )

  it.effect("an MCP server that is an authorization server of its own by now does not end the grant", () =>
    Effect.gen(function* () {
      const { grants, mcp, request, token } = yield* makeGranted()
      yield* mcp.always(
        "/.well-known/oauth-authorization-server",
        Answer.json({ issuer: mcp.url, token_endpoint: mcp.endpoint("/token") })
      )
      assert.strictEqual(accessToken(yield* grants.acquire(request, token)), "access-1-2")
    })
  )
})

describe("an MCP server that moves to another authorization server", () => {
  const makeMoving = Effect.fnUntraced(function* (oauth: Readonly<Record<string, unknown>> = {}) {
    const old = yield* makeServers(publicClients)
    const { as: next } = yield* makeServers(publicClients)
    for (const server of [old.as, next]) {
      yield* server.always("/register", yield* ProviderBehaviour.registersClients())
      yield* server.always("/token", yield* ProviderBehaviour.rotatesRefreshTokens)
    }
    const grants = yield* makeGrants({ authTimeout: "1 hour" })
    const request = discoveredRequest(old.resourceUrl, oauth)
    const logIn = Effect.gen(function* () {
      const { authorizationUrl } = yield* grants.authorize(request, redirectUri)
      const url = new URL(authorizationUrl)
      return { url, ...(yield* grants.redeem(responseTo(url, { iss: undefined }))) }
    })
    const { token } = yield* logIn
    yield* old.mcp.always(
      "/.well-known/oauth-protected-resource/mcp",
      Answer.json({ resource: old.resourceUrl, authorization_servers: [next.url] })
    )
    const refused = { ...request, tokenRefused: true }
    return { old: old.as, next, grants, logIn, refused, request, token }
  })

  it.effect("a refused token leads to one login at the new server, with a client of its own", () =>
    Effect.gen(function* () {
      const { grants, logIn, next, old, refused, token } = yield* makeMoving()
      yield* assertFailsWith(grants.acquire(refused, token), "AuthorizationRequired")
      assert.lengthOf(yield* formsAt(old), 1, "no refresh at the old one")
      const { token: granted, url } = yield* logIn
      assert.strictEqual(url.origin, next.url)
      assert.strictEqual(granted.grantedTo?.issuer, next.url)
      assert.lengthOf(yield* next.requestsTo("/register"), 1)
    })
  )

  it.effect("a token that is only renewed does not read the metadata again within five minutes", () =>
    Effect.gen(function* () {
      const { grants, next, request, token } = yield* makeMoving()
      assert.strictEqual(accessToken(yield* grants.acquire(request, token)), "access-1-2")
      assert.lengthOf(yield* next.requests, 0)
    })
  )

  it.effect("a configured client does not follow: the error names both servers", () =>
    Effect.gen(function* () {
      const { grants, next, old, refused, token } = yield* makeMoving({ client_id: "ours" })
      const reason = yield* failureOf(grants.acquire(refused, token))
      assert.strictEqual(reason._tag, "DiscoveryFailed")
      assert.include(reason.message, old.url)
      assert.include(reason.message, next.url)
      assert.lengthOf(yield* next.requestsTo("/token"), 0)
    })
  )
})
