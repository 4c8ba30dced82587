import { assert, describe, it } from "@effect/vitest"
import { AuthorizationServer } from "@secure-mcp/authorization-server"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { generateKeyPairSync } from "node:crypto"
import { makeGrants, requestFor } from "../TestGrants.ts"
import { discoveredRequest, makeGrantTargets, redirectUri } from "../TestResolution.ts"

const documentUrl = "https://gateway.example/client.json"
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })

/** A certified authorization server, and an MCP server that names it. */
const makeServers = Effect.gen(function* () {
  const mcp = yield* StubAuthorizationServer.make()
  const resource = mcp.endpoint("/mcp")
  const as = yield* AuthorizationServer.make({
    clients: [
      {
        client_id: "machine",
        token_endpoint_auth_method: "private_key_jwt",
        jwks: { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "key-1" }] },
        grant_types: ["client_credentials"],
        response_types: [],
        redirect_uris: []
      }
    ],
    clientDocuments: {
      [documentUrl]: {
        client_id: documentUrl,
        client_name: "Gateway",
        redirect_uris: [redirectUri],
        application_type: "native",
        grant_types: ["authorization_code", "refresh_token"],
        token_endpoint_auth_method: "none"
      }
    },
    resources: [{ identifier: resource, scopes: ["mcp:read", "mcp:write"], accessTokenFormat: "opaque" }]
  })
  yield* mcp.always(
    "/.well-known/oauth-protected-resource/mcp",
    Answer.json({ resource, authorization_servers: [as.issuer], scopes_supported: ["mcp:read"] })
  )
  return { as, resource }
})

/** Where the server sends a person who comes with this client: to the login, if it knows the client. */
const begin = (authorizationEndpoint: string | undefined, parameters: Record<string, string | undefined>) =>
  Effect.promise(async () => {
    const url = new URL(authorizationEndpoint ?? "")
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value ?? "")
    const answer = await fetch(url, { redirect: "manual" })
    await answer.body?.cancel()
    return { status: answer.status, location: answer.headers.get("location") ?? "" }
  })

const authorizationRequest = {
  response_type: "code",
  redirect_uri: redirectUri,
  code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
  code_challenge_method: "S256"
}

describe("with a certified authorization server", () => {
  const identities = [
    ["a client registered there", {}, "registered"],
    ["our metadata document", { client_metadata_url: documentUrl }, "metadata_document"]
  ] as const

  it.effect.each(identities)(
    "discovery leads from the MCP server's URL alone to the login page, as %s",
    ([, oauth, source]) =>
      Effect.gen(function* () {
        const { as, resource } = yield* makeServers
        const targets = yield* makeGrantTargets()
        const found = yield* targets.resolve(discoveredRequest(resource, oauth), { redirectUri })
        assert.deepInclude(found, { issuer: as.issuer, resource, scope: "mcp:read offline_access" })
        assert.strictEqual(found.tokenEndpoint.url, as.tokenEndpoint)
        assert.strictEqual(found.revocationEndpoint?.url, as.revocationEndpoint)
        assert.include(found.metadata?.codeChallengeMethodsSupported ?? [], "S256")
        assert.isTrue(found.metadata?.authorizationResponseIssParameterSupported)
        assert.deepInclude(found.client, { source, authenticationMethod: "none" })
        const { location, status } = yield* begin(found.authorizationEndpoint?.url, {
          ...authorizationRequest,
          client_id: found.client.clientId,
          scope: found.scope,
          resource: found.resource
        })
        assert.strictEqual(status, 303, location)
        assert.match(location, /\/interaction\//)
      })
  )

  it.effect("a web client that registers gets a secret", () =>
    Effect.gen(function* () {
      const { resource } = yield* makeServers
      const targets = yield* makeGrantTargets()
      const options = { redirectUri: "https://gateway.example/oauth/callback" }
      const { client } = yield* targets.resolve(discoveredRequest(resource), options)
      assert.deepInclude(client, { authenticationMethod: "client_secret_basic", source: "registered" })
      assert.isAtLeast(client.clientSecret === undefined ? 0 : Redacted.value(client.clientSecret).length, 20)
    })
  )

  it.effect("a device login registers its own client", () =>
    Effect.gen(function* () {
      const { resource } = yield* makeServers
      const targets = yield* makeGrantTargets()
      const request = discoveredRequest(resource, { grant_type: "device_code" })
      const found = yield* targets.resolve(request, { device: true })
      assert.strictEqual(found.client.source, "registered")
      assert.isDefined(found.deviceAuthorizationEndpoint)
    })
  )

  it.effect("client credentials with an issuer and a private key bring a token", () =>
    Effect.gen(function* () {
      const { as, resource } = yield* makeServers
      yield* TestClock.setTime(yield* TestClock.withLive(Clock.currentTimeMillis))
      const grants = yield* makeGrants()
      const request = requestFor({
        issuer: as.issuer,
        client_id: "machine",
        client_secret: undefined,
        private_key: privateKey.export({ format: "pem", type: "pkcs8" }),
        private_key_id: "key-1",
        resource,
        scope: "mcp:read"
      })
      const token = yield* grants.acquire(request, undefined)
      assert.deepInclude(yield* as.verify(Redacted.value(token.accessToken)), {
        active: true,
        client_id: "machine",
        aud: resource
      })
    })
  )
})
