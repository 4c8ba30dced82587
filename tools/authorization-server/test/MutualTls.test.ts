import { Agent, fetch } from "@effect/platform-node/Undici"
import { assert, describe, it } from "@effect/vitest"
import { AuthorizationServer, certificateClient } from "@secure-mcp/authorization-server"
import { Certificates, type IssuedCertificate } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"

const resource = "https://mcp.example.com/mcp"

const start = Effect.gen(function* () {
  const authority = yield* Certificates.makeAuthority("the tests")
  const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer()
  const known = yield* authority.issueClient("gateway")
  const elsewhere = yield* Certificates.makeAuthority("elsewhere")
  const pinned = yield* elsewhere.issueClient("gateway")
  const server = yield* AuthorizationServer.make({
    clients: [
      certificateClient("by-subject", "tls_client_auth", known.certificatePem),
      certificateClient("by-itself", "self_signed_tls_client_auth", pinned.certificatePem)
    ],
    resources: [{ identifier: resource, scopes: ["mcp:read"], accessTokenFormat: "jwt" }],
    tls: { cert, key, mtlsAuthorities: authority.certificatePem }
  })
  const ask = (url: string, certificate: IssuedCertificate | undefined, form?: Record<string, string>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const dispatcher = yield* Effect.acquireRelease(
          Effect.sync(() => new Agent({ connect: { ca: authority.certificatePem, ...pair(certificate) } })),
          (agent) => Effect.promise(() => agent.destroy())
        )
        return yield* Effect.promise(async () => {
          const answer = await fetch(url, {
            method: form === undefined ? "GET" : "POST",
            body: form === undefined ? null : new URLSearchParams(form),
            dispatcher
          })
          return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
        })
      })
    )
  return { server, ask, authority, known, pinned }
})

const pair = (certificate: IssuedCertificate | undefined) =>
  certificate === undefined ? {} : { cert: certificate.certificatePem, key: certificate.privateKeyPem }

const form = (clientId: string) => ({ grant_type: "client_credentials", client_id: clientId, resource })

describe("mutual TLS (RFC 8705)", () => {
  it.effect("mutual TLS is announced in the metadata, with its own port", () =>
    Effect.gen(function* () {
      const { ask, server } = yield* start
      const { body } = yield* ask(`${server.issuer}/.well-known/openid-configuration`, undefined)
      const aliases = server.mtlsEndpointAliases ?? {}
      assert.deepInclude(body, {
        issuer: server.issuer,
        tls_client_certificate_bound_access_tokens: true,
        mtls_endpoint_aliases: aliases
      })
      assert.includeMembers(body["token_endpoint_auth_methods_supported"] as Array<string>, [
        "tls_client_auth",
        "self_signed_tls_client_auth"
      ])
      for (const [name, alias] of Object.entries<string>(aliases)) {
        assert.strictEqual(new URL(alias).pathname, new URL(String(body[name])).pathname)
        assert.notStrictEqual(new URL(alias).port, new URL(server.issuer).port)
      }
    })
  )

  it.effect.each([
    ["by-subject", "known"],
    ["by-itself", "pinned"]
  ] as const)("%s gives a token that is bound to the certificate", ([clientId, which]) =>
    Effect.gen(function* () {
      const { ask, server, ...certificates } = yield* start
      const { body } = yield* ask(
        server.mtlsEndpointAliases?.token_endpoint ?? "",
        certificates[which],
        form(clientId)
      )
      assert.deepInclude(yield* server.verify(String(body["access_token"])), {
        active: true,
        client_id: clientId,
        cnf: { "x5t#S256": certificates[which].thumbprintSha256 }
      })
    })
  )

  it.effect("a wrong or missing certificate is refused, and the other port accepts none", () =>
    Effect.gen(function* () {
      const { ask, authority, known, pinned, server } = yield* start
      const alias = server.mtlsEndpointAliases?.token_endpoint ?? ""
      const another = yield* authority.issueClient("another")
      const attempts = [
        [alias, pinned, "by-subject"],
        [alias, another, "by-subject"],
        [alias, undefined, "by-subject"],
        [server.tokenEndpoint, known, "by-subject"],
        [alias, known, "by-itself"],
        [alias, undefined, "by-itself"]
      ] as const
      for (const [url, certificate, clientId] of attempts) {
        const { body, status } = yield* ask(url, certificate, form(clientId))
        assert.strictEqual(status, 401)
        assert.strictEqual(body["error"], "invalid_client")
      }
    })
  )
})
