import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { createHash, createPrivateKey, X509Certificate } from "node:crypto"
import * as https from "node:https"
import {
  Answer,
  type CertificateOptions,
  Certificates,
  type IssuedCertificate,
  StubAuthorizationServer
} from "../src/index.ts"

/** The handshake's error code, or undefined when Node trusts the server. */
const handshake = Effect.fnUntraced(function* (server: IssuedCertificate, ca: string) {
  const stub = yield* StubAuthorizationServer.make({
    tls: { cert: server.certificatePem, key: server.privateKeyPem }
  })
  yield* stub.always("/", Answer.json({}))
  return yield* Effect.callback<string | undefined>((resume) => {
    https
      .get(stub.endpoint("/"), { ca, agent: false }, (response) => {
        response.resume()
        resume(Effect.undefined)
      })
      .on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code)))
  })
})

describe("Certificates", () => {
  it.effect.each<{ readonly name: string; readonly options: CertificateOptions; readonly code?: string }>([
    { name: "an EC certificate", options: {} },
    { name: "an RSA certificate", options: { keyType: "RSA" } },
    { name: "an expired certificate", options: Certificates.expired, code: "CERT_HAS_EXPIRED" },
    { name: "one not yet valid", options: Certificates.notYetValid, code: "CERT_NOT_YET_VALID" }
  ])("a TLS client judges $name by its dates and authority", ({ code, options }) =>
    Effect.gen(function* () {
      const authority = yield* Certificates.makeAuthority("CA")
      const server = yield* authority.issueServer(options)
      assert.strictEqual(yield* handshake(server, authority.certificatePem), code)
    })
  )

  it.effect("an authority of the same name is not trusted", () =>
    Effect.gen(function* () {
      const authority = yield* Certificates.makeAuthority("CA")
      const other = yield* Certificates.makeAuthority("CA")
      const code = yield* handshake(yield* authority.issueServer(), other.certificatePem)
      assert.isDefined(code)
    })
  )

  it.effect("a server certificate is for 127.0.0.1, ::1 and localhost, and nothing else", () =>
    Effect.gen(function* () {
      const authority = yield* Certificates.makeAuthority("CA")
      const certificate = new X509Certificate((yield* authority.issueServer()).certificatePem)
      assert.strictEqual(certificate.checkIP("127.0.0.1"), "127.0.0.1")
      assert.strictEqual(certificate.checkIP("::1"), "::1")
      assert.strictEqual(certificate.checkHost("localhost"), "localhost")
      assert.isUndefined(certificate.checkHost("example.com"))
    })
  )

  it.effect("a client certificate carries its name, key, issuer and thumbprint", () =>
    Effect.gen(function* () {
      const authority = yield* Certificates.makeAuthority("CA, of tests")
      const client = yield* authority.issueClient("client, one", { keyType: "RSA" })
      const certificate = new X509Certificate(client.certificatePem)
      const issuer = new X509Certificate(authority.certificatePem)
      assert.strictEqual(certificate.toLegacyObject().subject.CN, "client, one")
      assert.isTrue(certificate.checkIssued(issuer))
      assert.isTrue(certificate.verify(issuer.publicKey))
      assert.isTrue(certificate.checkPrivateKey(createPrivateKey(client.privateKeyPem)))
      assert.strictEqual(
        client.thumbprintSha256,
        createHash("sha256").update(certificate.raw).digest("base64url")
      )
    })
  )

  it.effect(
    "a server accepts a client that is not on its revocation list, or whose own certificate it trusts",
    () =>
      Effect.gen(function* () {
        const authority = yield* Certificates.makeAuthority("CA")
        const good = yield* authority.issueClient("good")
        const revoked = yield* authority.issueClient("revoked")
        const selfSigned = yield* Certificates.selfSignedClient("alone")
        const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer()
        const lets = Effect.fnUntraced(function* (client: IssuedCertificate, ca: string, crl?: string) {
          const stub = yield* StubAuthorizationServer.make({
            tls: { cert, key, ca, requireClientCertificate: true, ...(crl === undefined ? {} : { crl }) }
          })
          yield* stub.always("/", Answer.json({}))
          const options = { ca: authority.certificatePem, agent: false } as const
          return yield* Effect.callback<boolean>((resume) => {
            https
              .get(
                stub.endpoint("/"),
                { ...options, cert: client.certificatePem, key: client.privateKeyPem },
                (response) => {
                  response.resume()
                  resume(Effect.succeed(true))
                }
              )
              .on("error", () => resume(Effect.succeed(false)))
          })
        })
        const ca = authority.certificatePem
        const crl = yield* authority.revoke([revoked])
        assert.isTrue(yield* lets(revoked, ca))
        assert.isTrue(yield* lets(good, ca, crl))
        assert.isFalse(yield* lets(revoked, ca, crl))
        assert.isTrue(yield* lets(selfSigned, selfSigned.certificatePem))
        assert.isFalse(yield* lets(selfSigned, ca))
      })
  )

  it.effect("a key with a passphrase opens with it only", () =>
    Effect.gen(function* () {
      const authority = yield* Certificates.makeAuthority("CA")
      const client = yield* authority.issueClient("client", { passphrase: "open sesame" })
      assert.include(client.privateKeyPem, "BEGIN ENCRYPTED PRIVATE KEY")
      assert.throws(() => createPrivateKey({ key: client.privateKeyPem, passphrase: "wrong" }))
      const key = createPrivateKey({ key: client.privateKeyPem, passphrase: "open sesame" })
      assert.isTrue(new X509Certificate(client.certificatePem).checkPrivateKey(key))
    })
  )

  it.effect("PEM files can be read by their owner only", () =>
    Effect.gen(function* () {
      const fileSystem = yield* FileSystem.FileSystem
      const directory = yield* fileSystem.makeTempDirectoryScoped()
      const authority = yield* Certificates.makeAuthority("CA")
      const client = yield* authority.issueClient("client")
      const paths = yield* client.writeTo(directory, "client")
      const caPath = yield* authority.writeTo(directory, "ca")
      assert.deepStrictEqual((yield* fileSystem.readDirectory(directory)).toSorted(), [
        "ca-cert.pem",
        "client-cert.pem",
        "client-key.pem"
      ])
      assert.strictEqual(yield* fileSystem.readFileString(caPath), authority.certificatePem)
      assert.strictEqual(yield* fileSystem.readFileString(paths.certificatePath), client.certificatePem)
      assert.strictEqual(yield* fileSystem.readFileString(paths.privateKeyPath), client.privateKeyPem)
      assert.strictEqual((yield* fileSystem.stat(paths.privateKeyPath)).mode & 0o777, 0o600)
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
