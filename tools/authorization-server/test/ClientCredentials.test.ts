import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { exportJWK, generateKeyPair, SignJWT, createRemoteJWKSet, jwtVerify } from "jose"
import { AuthorizationServer, clientCredentialsClient } from "@secure-mcp/authorization-server"
import { basic, postForm } from "./postForm.ts"

const opaque = "https://opaque.example.com/mcp"
const jwt = "https://jwt.example.com/mcp"

const options = {
  clients: [
    clientCredentialsClient("basic", "secret-of-basic"),
    clientCredentialsClient("post", "secret-of-post", "client_secret_post")
  ],
  resources: [
    { identifier: opaque, scopes: ["mcp:read", "mcp:write"], accessTokenFormat: "opaque" },
    { identifier: jwt, scopes: ["mcp:read"], accessTokenFormat: "jwt" }
  ]
} as const

const authorization = { authorization: basic("basic", "secret-of-basic") }

const requestToken = (server: AuthorizationServer["Service"], parameters: Record<string, string>) =>
  postForm(server.tokenEndpoint, { grant_type: "client_credentials", ...parameters }, authorization)

describe("client credentials", () => {
  it.effect("the metadata lists the endpoints", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make(options)
      const metadata = yield* Effect.promise(async () => {
        const answer = await fetch(`${server.issuer}/.well-known/oauth-authorization-server`)
        return (await answer.json()) as Record<string, unknown>
      })
      assert.deepInclude(metadata, {
        issuer: server.issuer,
        token_endpoint: server.tokenEndpoint,
        authorization_endpoint: server.authorizationEndpoint,
        introspection_endpoint: server.introspectionEndpoint,
        revocation_endpoint: server.revocationEndpoint,
        jwks_uri: server.jwksUri,
        authorization_response_iss_parameter_supported: true
      })
    })
  )

  it.effect("an opaque resource gets an opaque token, which introspection and verify accept", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make(options)
      const token = yield* requestToken(server, { resource: opaque, scope: "mcp:read mcp:write" })
      assert.strictEqual(token.status, 200)
      assert.deepInclude(token.body, { token_type: "Bearer", expires_in: 3600, scope: "mcp:read mcp:write" })
      assert.notInclude(token.accessToken, ".")

      const overHttp = yield* postForm(
        server.introspectionEndpoint,
        { token: token.accessToken },
        authorization
      )
      const expected = { active: true, client_id: "basic", scope: "mcp:read mcp:write", aud: opaque }
      assert.deepInclude(overHttp.body, expected)
      assert.deepInclude(yield* server.verify(token.accessToken), expected)
    })
  )

  it.effect("a JWT is issued for a JWT resource, signed with a published key", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make(options)
      const token = yield* requestToken(server, { resource: jwt, scope: "mcp:read mcp:write" })
      assert.deepInclude(token.body, { scope: "mcp:read" })
      const { payload } = yield* Effect.promise(() =>
        jwtVerify(token.accessToken, createRemoteJWKSet(new URL(server.jwksUri)), {
          issuer: server.issuer,
          audience: jwt
        })
      )
      assert.deepInclude(payload, { client_id: "basic", scope: "mcp:read" })
      assert.deepInclude(yield* server.verify(token.accessToken), {
        active: true,
        client_id: "basic",
        scope: "mcp:read",
        aud: jwt
      })
      const forged = `${token.accessToken.slice(0, -8)}AAAAAAAA`
      assert.deepStrictEqual(yield* server.verify(forged), { active: false })
    })
  )

  it.effect("a known audience is accepted for the resource, and neither is required", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make(options)
      const forAudience = yield* requestToken(server, { audience: opaque, scope: "mcp:read" })
      assert.deepInclude(yield* server.verify(forAudience.accessToken), { aud: opaque, scope: "mcp:read" })
      const forNothing = yield* requestToken(server, { scope: "mcp:read" })
      const introspection = yield* server.verify(forNothing.accessToken)
      assert.deepInclude(introspection, { active: true, scope: "mcp:read" })
      assert.notProperty(introspection, "aud")
    })
  )

  it.effect("an unknown resource and a wrong secret are refused", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make(options)
      const unknown = yield* requestToken(server, { resource: "https://elsewhere.example.com" })
      assert.deepInclude(unknown.body, { error: "invalid_target" })
      const impostor = yield* postForm(
        server.tokenEndpoint,
        { grant_type: "client_credentials" },
        { authorization: basic("basic", "guess") }
      )
      assert.strictEqual(impostor.status, 401)
      assert.deepInclude(impostor.body, { error: "invalid_client" })
    })
  )

  it.effect("a client can authenticate by client_secret_post and by private_key_jwt", () =>
    Effect.gen(function* () {
      const pair = yield* Effect.promise(() => generateKeyPair("ES256", { extractable: true }))
      const publicKey = yield* Effect.promise(() => exportJWK(pair.publicKey))
      const { client_secret: _none, ...signer } = clientCredentialsClient("signer", "")
      const server = yield* AuthorizationServer.make({
        ...options,
        clients: [
          ...options.clients,
          {
            ...signer,
            token_endpoint_auth_method: "private_key_jwt",
            token_endpoint_auth_signing_alg: "ES256",
            jwks: { keys: [{ ...publicKey, kty: "EC", alg: "ES256" }] }
          }
        ]
      })
      const grant = { grant_type: "client_credentials", resource: opaque }
      const post = yield* postForm(server.tokenEndpoint, {
        ...grant,
        client_id: "post",
        client_secret: "secret-of-post"
      })
      assert.strictEqual(post.status, 200)

      const assertion = yield* Effect.promise(() =>
        new SignJWT({})
          .setProtectedHeader({ alg: "ES256" })
          .setIssuer("signer")
          .setSubject("signer")
          .setAudience(server.issuer)
          .setJti("once")
          .setIssuedAt()
          .setExpirationTime("1m")
          .sign(pair.privateKey)
      )
      const proof = {
        ...grant,
        client_id: "signer",
        client_assertion: assertion,
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
      }
      assert.strictEqual((yield* postForm(server.tokenEndpoint, proof)).status, 200)
      assert.strictEqual((yield* postForm(server.tokenEndpoint, proof)).status, 401, "assertions work once")
    })
  )

  it.effect("one token can be revoked at the revocation endpoint", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make(options)
      const first = yield* requestToken(server, { resource: opaque })
      const second = yield* requestToken(server, { resource: opaque })
      const answer = yield* postForm(server.revocationEndpoint, { token: first.accessToken }, authorization)
      assert.strictEqual(answer.status, 200)
      assert.deepStrictEqual(yield* server.verify(first.accessToken), { active: false })
      assert.deepInclude(yield* server.verify(second.accessToken), { active: true })
    })
  )
})
