import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { ClientCertificates } from "@secure-mcp/mtls"
import { assertNoCanary, canary, Certificates } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as PlatformError from "effect/PlatformError"
import { createPrivateKey } from "node:crypto"
import { configWith } from "./MutualTls.ts"

const TestLayer = ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer))

const secret = canary("file-content")
const wrongSecret = canary("wrong-passphrase")
const garbageKey = `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`
const garbageCertificate = `-----BEGIN CERTIFICATE-----\n${secret.replaceAll("-", "")}\n-----END CERTIFICATE-----\n`

/** A directory with good files, good ones in bad places, and bad ones. */
const makeDirectory = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  const authority = yield* Certificates.makeAuthority("Test CA")
  const client = yield* authority.issueClient("client")
  const other = yield* authority.issueClient("other")
  const encrypted = yield* authority.issueClient("encrypted", { passphrase: secret })
  const contents = {
    cert: client.certificatePem,
    key: client.privateKeyPem,
    ca: authority.certificatePem,
    chain: client.certificatePem.trimEnd() + authority.certificatePem,
    combined: `Bag Attributes\n${client.privateKeyPem}\n${client.certificatePem}`,
    otherKey: other.privateKeyPem,
    reversedChain: authority.certificatePem + client.certificatePem,
    encryptedCert: encrypted.certificatePem,
    encryptedKey: encrypted.privateKeyPem,
    oldEncryptedKey: createPrivateKey(client.privateKeyPem)
      .export({ type: "sec1", format: "pem", cipher: "aes-256-cbc", passphrase: secret })
      .toString(),
    garbageCert: garbageCertificate,
    garbageKey,
    bundleWithGarbage: authority.certificatePem + garbageCertificate,
    text: secret,
    empty: ""
  }
  for (const [name, content] of Object.entries(contents)) {
    yield* files.writeFileString(`${directory}/${name}`, content)
  }
  yield* files.makeDirectory(`${directory}/folder`)
  return { directory, thumbprint: client.thumbprintSha256 }
})

interface Names {
  readonly cert?: string
  readonly key?: string
  readonly ca?: string
  readonly passphrase?: string
}

const connect = Effect.fnUntraced(function* (directory: string, { ca, cert, key, passphrase }: Names) {
  const { connection } = yield* ClientCertificates
  const at = (name: string) => `${directory}/${name}`
  return yield* connection(
    configWith({
      ...(cert === undefined ? {} : { use_mtls: true, client_cert_path: at(cert) }),
      ...(key === undefined ? {} : { client_key_path: at(key) }),
      ...(passphrase === undefined ? {} : { client_key_passphrase: passphrase }),
      ...(ca === undefined ? {} : { ca_bundle_path: at(ca) })
    })
  )
})

describe("the files of a client certificate", () => {
  it.effect.each<Names & { readonly fault: string; readonly says: string }>([
    { cert: "none", key: "key", fault: "cert", says: "does not exist" },
    { cert: "folder", key: "key", fault: "cert", says: "cannot be read as a file" },
    { cert: "empty", key: "key", fault: "cert", says: "holds no PEM certificate" },
    { cert: "text", key: "key", fault: "cert", says: "holds no PEM certificate" },
    { cert: "key", key: "cert", fault: "cert", says: "holds no PEM certificate" },
    { cert: "garbageCert", key: "key", fault: "cert", says: "cannot be parsed" },
    { cert: "reversedChain", key: "key", fault: "key", says: "holds another key" },
    { cert: "cert", key: "none", fault: "key", says: "does not exist" },
    { cert: "cert", key: "folder", fault: "key", says: "cannot be read as a file" },
    { cert: "cert", key: "empty", fault: "key", says: "no PEM private key" },
    { cert: "cert", key: "text", fault: "key", says: "no PEM private key" },
    { cert: "cert", key: "cert", fault: "key", says: "no PEM private key" },
    { cert: "cert", key: "garbageKey", fault: "key", says: "no PEM private key" },
    { cert: "cert", key: "otherKey", fault: "key", says: "holds another key" },
    { cert: "cert", key: "key", ca: "none", fault: "ca", says: "does not exist" },
    { ca: "folder", fault: "ca", says: "cannot be read as a file" },
    { ca: "empty", fault: "ca", says: "holds no PEM certificate" },
    { ca: "key", fault: "ca", says: "holds no PEM certificate" },
    { ca: "bundleWithGarbage", fault: "ca", says: "cannot be parsed" }
  ])("certificate $cert, key $key, authorities $ca: $fault $says", ({ fault, says, ...names }) =>
    Effect.gen(function* () {
      const { directory } = yield* makeDirectory
      const error = yield* Effect.flip(connect(directory, names))
      const faulty = { cert: names.cert, key: names.key, ca: names.ca }[fault]
      assert.strictEqual(
        error.key,
        { cert: "client_cert_path", key: "client_key_path", ca: "ca_bundle_path" }[fault]
      )
      assert.include(error.problem, says)
      assert.include(error.problem, `: ${directory}/${faulty}. `)
      assert.isFalse(error.retryable)
      assertNoCanary(error, [secret, secret.replaceAll("-", "")])
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect.each<Names>([
    { cert: "cert", key: "key" },
    { cert: "cert", key: "key", ca: "ca" },
    { cert: "chain", key: "key" },
    { cert: "combined", key: "combined" }
  ])("certificate $cert, key $key, authorities $ca: good", (names) =>
    Effect.gen(function* () {
      const { directory, thumbprint } = yield* makeDirectory
      assert.strictEqual((yield* connect(directory, names)).certificateThumbprint, thumbprint)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect.each([
    { cert: "encryptedCert", key: "encryptedKey" },
    { cert: "cert", key: "oldEncryptedKey" }
  ])("an encrypted key ($key) is opened with its passphrase only", ({ cert, key }) =>
    Effect.gen(function* () {
      const { directory } = yield* makeDirectory
      assert.isDefined((yield* connect(directory, { cert, key, passphrase: secret })).certificateThumbprint)
      const wrong = yield* Effect.flip(connect(directory, { cert, key, passphrase: wrongSecret }))
      assert.strictEqual(
        wrong.message,
        `the client certificate cannot be used: \`client_key_passphrase\` does not open the private key in ${directory}/${key}. Check the passphrase, and that the file is whole`
      )
      const missing = yield* Effect.flip(connect(directory, { cert, key }))
      assert.strictEqual(
        missing.message,
        `the client certificate cannot be used: \`client_key_passphrase\` is required: the private key is encrypted in ${directory}/${key}. Configure its passphrase, best as \`\${env:…}\``
      )
      assertNoCanary([wrong, missing], [secret, wrongSecret])
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("an RSA key is good, too, but not for another certificate", () =>
    Effect.gen(function* () {
      const { directory } = yield* makeDirectory
      const authority = yield* Certificates.makeAuthority("Test CA")
      const rsa = yield* authority.issueClient("rsa", { keyType: "RSA" })
      yield* rsa.writeTo(directory, "rsa")
      const { certificateThumbprint } = yield* connect(directory, {
        cert: "rsa-cert.pem",
        key: "rsa-key.pem"
      })
      assert.strictEqual(certificateThumbprint, rsa.thumbprintSha256)
      const error = yield* Effect.flip(connect(directory, { cert: "cert", key: "rsa-key.pem" }))
      assert.include(error.problem, "holds another key")
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("a file without read permission is an error", () =>
    Effect.gen(function* () {
      const { directory } = yield* makeDirectory
      const error = yield* Effect.flip(connect(directory, { cert: "cert", key: "key" }))
      assert.strictEqual(error.key, "client_key_path")
      assert.include(error.problem, `this process may not read: ${directory}/key. Check its owner`)
    }).pipe(
      Effect.provide(
        Layer.merge(ClientCertificates.layer.pipe(Layer.provide(unreadableKey)), NodeServices.layer)
      )
    )
  )

  it.effect.each(["client_cert_path", "client_key_path"])("a configuration without %s is an error", (key) =>
    Effect.gen(function* () {
      const { directory } = yield* makeDirectory
      const good = configWith({
        use_mtls: true,
        client_cert_path: `${directory}/cert`,
        client_key_path: `${directory}/key`
      })
      const { clientCertPath = "", clientKeyPath = "", ...rest } = good
      const { connection } = yield* ClientCertificates
      const error = yield* Effect.flip(
        connection(key === "client_cert_path" ? { ...rest, clientKeyPath } : { ...rest, clientCertPath })
      )
      assert.strictEqual(error.key, key)
      assert.include(error.problem, "required with `use_mtls`")
    }).pipe(Effect.provide(TestLayer))
  )
})

/** Tests may run as root, to whom every file is readable. */
const unreadableKey = Layer.effect(
  FileSystem.FileSystem,
  Effect.map(FileSystem.FileSystem, (files) => ({
    ...files,
    readFile: (path) =>
      path.endsWith("/key")
        ? Effect.fail(
            PlatformError.systemError({ _tag: "PermissionDenied", module: "FileSystem", method: "readFile" })
          )
        : files.readFile(path)
  }))
).pipe(Layer.provide(NodeServices.layer))
