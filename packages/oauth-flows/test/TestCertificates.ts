import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Agent } from "@effect/platform-node/Undici"
import { Grants, OAuthHttp } from "@secure-mcp/oauth-core"
import { OAuthFlows } from "@secure-mcp/oauth-flows"
import { type CertificateAuthority, Certificates, type IssuedCertificate } from "@secure-mcp/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** What an entry says that presents a certificate. The files are never read: the connection has it already. */
export const certificateKeys = {
  use_mtls: true,
  client_cert_path: "client.pem",
  client_key_path: "client.key",
  enforce_https: true,
  client_secret: undefined
}

/** An authority with a server's certificate and the one of our client. */
export const makeCertificates = Effect.gen(function* () {
  const authority = yield* Certificates.makeAuthority("the tests")
  const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer()
  const ours = yield* authority.issueClient("gateway")
  return { authority, ours, tls: { cert, key } }
})

/** Connections that trust the authority, and present the certificate if there is one. */
export const makeDispatcher = (authority: CertificateAuthority, certificate?: IssuedCertificate) =>
  Effect.acquireRelease(
    Effect.sync(
      () =>
        new Agent({
          connect: {
            ca: authority.certificatePem,
            ...(certificate === undefined
              ? {}
              : { cert: certificate.certificatePem, key: certificate.privateKeyPem })
          }
        })
    ),
    (agent) => Effect.promise(() => agent.destroy())
  )

/** Grants over such connections. */
export const makeGrantsWith = Effect.fnUntraced(function* (
  authority: CertificateAuthority,
  certificate?: IssuedCertificate
) {
  const client = yield* Effect.provideServiceEffect(
    NodeHttpClient.makeUndici,
    NodeHttpClient.Dispatcher,
    makeDispatcher(authority, certificate)
  )
  const connection = { client, certificateThumbprint: certificate?.thumbprintSha256 }
  const http = Layer.succeed(OAuthHttp, { connection: () => Effect.succeed(connection) })
  const context = yield* Layer.build(OAuthFlows.layer.pipe(Layer.provide(http)))
  return Context.get(context, Grants)
})
