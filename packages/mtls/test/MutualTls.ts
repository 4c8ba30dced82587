import type { ClientConnection } from "@secure-mcp/mtls"
import { type OAuthConfig, decodeOAuthConfig } from "@secure-mcp/oauth-core"
import { Answer, Certificates, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"

/** An authorization server that requires a certificate of its authority, and two clients with one. */
export const makeMutualTls = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  const authority = yield* Certificates.makeAuthority("Test CA")
  const certificate = yield* authority.issueServer()
  const server = yield* StubAuthorizationServer.make({
    tls: {
      cert: certificate.certificatePem,
      key: certificate.privateKeyPem,
      ca: authority.certificatePem,
      requireClientCertificate: true
    }
  })
  yield* server.always("/token", Answer.token())

  const issueClient = Effect.fnUntraced(function* (name: string) {
    const issued = yield* authority.issueClient(name)
    const { certificatePath, privateKeyPath } = yield* issued.writeTo(directory, name)
    return { ...issued, certificatePath, privateKeyPath }
  })
  return {
    directory,
    authority,
    server,
    tokenUrl: server.endpoint("/token"),
    caBundlePath: yield* authority.writeTo(directory, "ca"),
    alice: yield* issueClient("alice"),
    bob: yield* issueClient("bob")
  }
})

/** The certificate keys of a configuration, with a rest that is valid for the server. */
export const configWith = (
  keys: Readonly<Record<string, unknown>>,
  tokenUrl = "https://auth.example/token"
): OAuthConfig =>
  Result.getOrThrow(
    decodeOAuthConfig({ token_url: tokenUrl, client_id: "client", client_secret: "secret", ...keys })
  )

/** The configuration of a client with this certificate. */
export const configOf = (
  client: { readonly certificatePath: string; readonly privateKeyPath: string },
  caBundlePath: string
): OAuthConfig =>
  configWith({
    use_mtls: true,
    client_cert_path: client.certificatePath,
    client_key_path: client.privateKeyPath,
    ca_bundle_path: caBundlePath
  })

/** The status of the answer to a request over these connections. */
export const statusOf = Effect.fnUntraced(function* ({ dispatcher }: ClientConnection, url: string) {
  const { origin, pathname } = new URL(url)
  const response = yield* Effect.promise(() => dispatcher.request({ origin, path: pathname, method: "GET" }))
  yield* Effect.promise(() => response.body.dump())
  return response.statusCode
})

/** The `x5t#S256` of a certificate whose fingerprint is given the way Node and openssl write it. */
export const thumbprintOf = (fingerprint: string | undefined): string | undefined =>
  fingerprint === undefined
    ? undefined
    : Buffer.from(fingerprint.replaceAll(":", ""), "hex").toString("base64url")
