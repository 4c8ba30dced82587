import { type Dispatcher, fetch } from "@effect/platform-node/Undici"
import { assert, describe, it } from "@effect/vitest"
import {
  AuthorizationServer,
  certificateClient,
  clientCredentialsClient
} from "@secure-mcp/authorization-server"
import { Answer, Certificates, type IssuedCertificate, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { browse } from "./TestBrowser.ts"
import { certificateKeys, makeCertificates, makeDispatcher, makeGrantsWith } from "./TestCertificates.ts"
import { makeLog, reasonOf, requestFor } from "./TestGrants.ts"
import { accessToken, failureOf, redirectUri } from "./TestLogin.ts"

const jwt = "https://jwt.example.com/mcp"
const opaque = "https://opaque.example.com/mcp"

/** A certified provider with a port that asks for certificates next to the one that does not. */
const makeServer = Effect.gen(function* () {
  const { authority, ours, tls } = yield* makeCertificates
  // No authority the server trusts has issued it, as with one that is self-signed.
  const stranger = yield* Certificates.makeAuthority("nobody knows")
  const unknown = yield* stranger.issueClient("gateway")
  const bound = { tls_client_certificate_bound_access_tokens: true }
  const server = yield* AuthorizationServer.make({
    clients: [
      certificateClient("by-subject", "tls_client_auth", ours.certificatePem),
      certificateClient("by-itself", "self_signed_tls_client_auth", unknown.certificatePem),
      { ...clientCredentialsClient("by-secret", "the-client-secret"), ...bound },
      {
        client_id: "public",
        token_endpoint_auth_method: "none",
        application_type: "native",
        grant_types: ["authorization_code", "refresh_token"],
        redirect_uris: [redirectUri],
        ...bound
      }
    ],
    resources: [
      { identifier: jwt, scopes: ["mcp:read"], accessTokenFormat: "jwt" },
      { identifier: opaque, scopes: ["mcp:read"], accessTokenFormat: "opaque" }
    ],
    tls: { ...tls, mtlsAuthorities: authority.certificatePem }
  })
  const requestOf = (client_id: string, oauth: Readonly<Record<string, unknown>> = {}) =>
    requestFor({
      ...certificateKeys,
      issuer: server.issuer,
      client_id,
      resource: jwt,
      scope: "mcp:read",
      introspection_url: server.mtlsEndpointAliases?.introspection_endpoint,
      ...oauth
    })
  return { authority, ours, unknown, server, requestOf }
})

const boundTo = ({ thumbprintSha256 }: IssuedCertificate) => ({ cnf: { "x5t#S256": thumbprintSha256 } })

const hostOf = (url: string | undefined) => new URL(url ?? "").host

describe("with a certificate, at a certified authorization server", () => {
  const cases = [
    ["tls_client_auth", "by-subject", "ours", jwt],
    ["tls_client_auth", "by-subject", "ours", opaque],
    ["self_signed_tls_client_auth", "by-itself", "unknown", jwt],
    ["self_signed_tls_client_auth", "by-itself", "unknown", opaque]
  ] as const

  it.effect.each(cases)("%s (%s, %s): a token bound to it for %s", ([method, clientId, which, resource]) =>
    Effect.gen(function* () {
      const { authority, requestOf, server, ...certificates } = yield* makeServer
      const grants = yield* makeGrantsWith(authority, certificates[which])
      const request = requestOf(clientId, { token_endpoint_auth_method: method, resource })
      const { lines, record } = makeLog()
      const token = yield* grants.acquire(request, undefined).pipe(record)
      assert.notInclude(lines.join("\n"), "is not known", "the server said what the token is bound to")
      assert.deepInclude(yield* server.verify(accessToken(token)), {
        active: true,
        client_id: clientId,
        ...boundTo(certificates[which])
      })
      const [sent] = yield* server.tokenRequests
      assert.deepStrictEqual(
        { ...sent?.form },
        { grant_type: "client_credentials", client_id: clientId, resource, scope: "mcp:read" }
      )
      assert.isUndefined(sent?.headers.authorization)
      assert.strictEqual(sent?.headers.host, hostOf(server.mtlsEndpointAliases?.token_endpoint))
    })
  )

  it.effect(
    "a certificate client without a secret revokes its token at the port that asks for certificates",
    () =>
      Effect.gen(function* () {
        const { authority, ours, requestOf, server } = yield* makeServer
        const grants = yield* makeGrantsWith(authority, ours)
        const request = requestOf("by-subject", { resource: opaque })
        const token = yield* grants.acquire(request, undefined)
        assert.deepInclude(yield* server.verify(accessToken(token)), boundTo(ours))
        // The other port could not authenticate the client.
        yield* grants.revoke(request, token)
        assert.deepStrictEqual(yield* server.verify(accessToken(token)), { active: false })
      })
  )

  it.effect("a client that has a secret binds its token to the certificate all the same", () =>
    Effect.gen(function* () {
      const { authority, ours, requestOf, server } = yield* makeServer
      const grants = yield* makeGrantsWith(authority, ours)
      const token = yield* grants.acquire(
        requestOf("by-secret", { client_secret: "the-client-secret" }),
        undefined
      )
      assert.deepInclude(yield* server.verify(accessToken(token)), boundTo(ours))
      const [sent] = yield* server.tokenRequests
      assert.match(sent?.headers.authorization ?? "", /^Basic /)
      assert.strictEqual(sent?.headers.host, hostOf(server.mtlsEndpointAliases?.token_endpoint))
    })
  )

  it.effect("a client without a certificate does not use the port that asks for certificates", () =>
    Effect.gen(function* () {
      const { authority, requestOf, server } = yield* makeServer
      const grants = yield* makeGrantsWith(authority)
      const plainly = {
        use_mtls: false,
        client_cert_path: undefined,
        client_key_path: undefined,
        introspection_url: undefined
      }
      const request = requestOf("by-secret", { ...plainly, client_secret: "the-client-secret" })
      const reason = yield* failureOf(grants.acquire(request, undefined))
      // This client has to show one, for its tokens to be bound to.
      assert.deepInclude(reason, { _tag: "RequestRefused", error: "invalid_grant" })
      const [sent] = yield* server.tokenRequests
      assert.strictEqual(sent?.headers.host, hostOf(server.issuer))
    })
  )

  const impostors = [
    ["tls_client_auth", "by-subject", "unknown"],
    ["self_signed_tls_client_auth", "by-itself", "ours"]
  ] as const

  it.effect.each(impostors)(
    "%s with another client's certificate is refused, with what to check",
    (impostor) =>
      Effect.gen(function* () {
        const [method, clientId, which] = impostor
        const { authority, requestOf, ...certificates } = yield* makeServer
        const grants = yield* makeGrantsWith(authority, certificates[which])
        const request = requestOf(clientId, { token_endpoint_auth_method: method })
        const error = yield* Effect.flip(grants.acquire(request, undefined))
        assert.deepInclude(reasonOf(error), {
          _tag: "RequestRefused",
          status: 401,
          error: "invalid_client",
          authenticationMethod: method
        })
        assert.include(error.message, "that the server knows the client certificate")
        assert.notInclude(error.message, "client_secret")
      })
  )
})

describe("behind a TLS proxy that shows the authorization server a certificate of its own", () => {
  it.effect.each([jwt, opaque])("a token for %s bound to the proxy's certificate is refused", (resource) =>
    Effect.gen(function* () {
      const { authority, ours, requestOf, server } = yield* makeServer
      const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer()
      const proxy = yield* StubAuthorizationServer.make({ tls: { cert, key, ca: authority.certificatePem } })
      const dispatcher = yield* makeDispatcher(authority, yield* authority.issueClient("proxy"))
      yield* proxy.always("/token", passedOnTo(server.mtlsEndpointAliases?.token_endpoint, dispatcher))
      const grants = yield* makeGrantsWith(authority, ours)
      const request = requestOf("by-secret", {
        issuer: undefined,
        token_url: proxy.endpoint("/token"),
        client_secret: "the-client-secret",
        resource
      })
      const error = yield* Effect.flip(grants.acquire(request, undefined))
      assert.deepStrictEqual(reasonOf(error), {
        _tag: "CertificateBindingMismatch",
        endpoint: `the token endpoint ${proxy.endpoint("/token")}`,
        certificateThumbprint: ours.thumbprintSha256
      })
      assert.lengthOf(yield* server.tokenRequests, 1)
    })
  )
})

const passedOnTo = (url: string | undefined, dispatcher: Dispatcher) =>
  Answer.respondWith(({ body, headers }) =>
    Effect.promise(async () => {
      const { authorization = "", "content-type": type = "" } = headers
      const answer = await fetch(url ?? "", {
        method: "POST",
        headers: { authorization, "content-type": type },
        body,
        dispatcher
      })
      return Answer.json(await answer.json(), { status: answer.status })
    })
  )

describe("a person's grant to a public client (RFC 8705 §4)", () => {
  const login = Effect.fnUntraced(function* (client: Readonly<Record<string, unknown>>) {
    const parts = yield* makeServer
    const { authority, ours, requestOf } = parts
    const grants = yield* makeGrantsWith(authority, ours)
    const request = requestOf("public", { grant_type: "authorization_code", resource: opaque, ...client })
    const { authorizationUrl } = yield* grants.authorize(request, redirectUri)
    const dispatcher = yield* makeDispatcher(authority)
    const callback = yield* browse(authorizationUrl, redirectUri, { login: "alice" }, (url, init) =>
      fetch(url, { ...init, dispatcher })
    )
    const { token } = yield* grants.redeem(new URL(callback).searchParams)
    return { ...parts, grants, request, token, authorizationUrl }
  })

  const clients = [
    ["a configured client", { token_endpoint_auth_method: "none" }],
    ["one that registered for bound tokens by itself", { client_id: undefined }]
  ] as const

  it.effect.each(clients)(
    "a person's token is bound to the certificate and renewed with it: %s",
    ([, client]) =>
      Effect.gen(function* () {
        const { authorizationUrl, grants, ours, request, server, token } = yield* login(client)
        // A browser has no certificate of ours, so it goes to the ordinary port.
        assert.strictEqual(hostOf(authorizationUrl), hostOf(server.issuer))
        assert.deepInclude(yield* server.verify(accessToken(token)), { sub: "alice", ...boundTo(ours) })
        const renewed = yield* grants.acquire(request, token)
        assert.notStrictEqual(accessToken(renewed), accessToken(token))
        assert.deepInclude(yield* server.verify(accessToken(renewed)), { sub: "alice", ...boundTo(ours) })
      })
  )

  it.effect.each(clients)(
    "a person's token is not renewed with another certificate than its refresh token's: %s",
    ([, client]) =>
      Effect.gen(function* () {
        const { authority, request, server, token } = yield* login(client)
        const other = yield* authority.issueClient("gateway")
        const grants = yield* makeGrantsWith(authority, other)
        const reason = yield* failureOf(grants.acquire(request, token))
        assert.strictEqual(reason._tag, "AuthorizationRequired")
        assert.strictEqual((yield* server.tokenRequests).at(-1)?.status, 400)
      })
  )
})
