import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { ClientCertificates } from "@secure-mcp/mtls"
import { assertNoCanary, canary, opensslProgram, requireProgram, writePkcs12 } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { configWith, makeMutualTls, statusOf, thumbprintOf } from "./MutualTls.ts"

const TestLayer = ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer))

const passphrase = canary("passphrase")

/** A server that wants a client certificate, and one for it in PKCS#12 files of every kind. */
const makeFiles = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const mutualTls = yield* makeMutualTls
  const { alice, caBundlePath, directory } = mutualTls
  const write = (name: string, options: { readonly legacy?: boolean; readonly chainPath?: string } = {}) =>
    writePkcs12({ ...alice, path: `${directory}/${name}`, passphrase, ...options })
  yield* write("modern.p12")
  yield* write("chain.p12", { chainPath: caBundlePath })
  yield* write("legacy.p12", { legacy: true })
  yield* writePkcs12({ ...alice, path: `${directory}/empty-passphrase.p12`, passphrase: "" })
  const modern = yield* files.readFile(`${directory}/modern.p12`)
  yield* files.writeFile(`${directory}/cut.p12`, modern.subarray(0, 300))
  yield* files.copyFile(`${directory}/modern.p12`, `${directory}/copy.p12`)
  yield* files.makeDirectory(`${directory}/folder`)
  return mutualTls
})

const connect = Effect.fnUntraced(function* (
  path: string,
  keys: object = { client_key_passphrase: passphrase }
) {
  const { connection } = yield* ClientCertificates
  return yield* connection(configWith({ use_mtls: true, client_pkcs12_path: path, ...keys }))
})

describe("a PKCS#12 file", () => {
  let openssl: string | undefined
  beforeAll(() => {
    openssl = requireProgram(opensslProgram)
  })

  it.effect("a PKCS#12 file is presented like the pair of PEM files it was made from", (test) =>
    Effect.gen(function* () {
      if (openssl === undefined) return test.skip("there is no openssl")
      const { alice, caBundlePath, directory, server, tokenUrl } = yield* makeFiles
      const keys = { client_key_passphrase: passphrase, ca_bundle_path: caBundlePath }
      for (const name of ["modern.p12", "chain.p12"]) {
        const connection = yield* connect(`${directory}/${name}`, keys)
        assert.strictEqual(connection.certificateThumbprint, alice.thumbprintSha256)
        assert.strictEqual(yield* statusOf(connection, tokenUrl), 200)
      }
      const presented = (yield* server.requests).map(({ peerFingerprint256 }) =>
        thumbprintOf(peerFingerprint256)
      )
      assert.deepStrictEqual(presented, [alice.thumbprintSha256, alice.thumbprintSha256])
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("a PKCS#12 file can have an empty passphrase", (test) =>
    Effect.gen(function* () {
      if (openssl === undefined) return test.skip("there is no openssl")
      const { alice, directory } = yield* makeFiles
      const { certificateThumbprint } = yield* connect(`${directory}/empty-passphrase.p12`, {})
      assert.strictEqual(certificateThumbprint, alice.thumbprintSha256)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("a PKCS#12 file shares its connections with a copy of it", (test) =>
    Effect.gen(function* () {
      if (openssl === undefined) return test.skip("there is no openssl")
      const { directory } = yield* makeFiles
      const first = yield* connect(`${directory}/modern.p12`)
      assert.strictEqual(yield* connect(`${directory}/copy.p12`), first)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("the authorities in a PKCS#12 file are trusted for servers, too, as Node reads it", (test) =>
    Effect.gen(function* () {
      if (openssl === undefined) return test.skip("there is no openssl")
      const { directory, tokenUrl } = yield* makeFiles
      const trusted = yield* connect(`${directory}/chain.p12`)
      assert.strictEqual(yield* statusOf(trusted, tokenUrl), 200)
      const untrusted = yield* connect(`${directory}/modern.p12`)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(statusOf(untrusted, tokenUrl))))
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("a PKCS#12 file opens only with its passphrase, even after it was opened before", (test) =>
    Effect.gen(function* () {
      if (openssl === undefined) return test.skip("there is no openssl")
      const { directory } = yield* makeFiles
      const path = `${directory}/modern.p12`
      yield* connect(path)
      const wrongPassphrase = canary("wrong-passphrase")
      const wrong = yield* Effect.flip(connect(path, { client_key_passphrase: wrongPassphrase }))
      assert.strictEqual(wrong.key, "client_key_passphrase")
      assert.include(wrong.problem, `does not open the private key in ${path}. Check the passphrase`)
      const missing = yield* Effect.flip(connect(path, {}))
      assert.strictEqual(missing.key, "client_key_passphrase")
      assert.include(missing.problem, `is required: the private key is encrypted in ${path}. Configure`)
      assertNoCanary([wrong, missing], [passphrase, wrongPassphrase])
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect.each([
    ["none", "names a file that does not exist"],
    ["folder", "names something that cannot be read as a file"],
    ["cut.p12", "names no PKCS#12 file that can be read"],
    ["alice-cert.pem", "names no PKCS#12 file that can be read"],
    ["legacy.p12", "is encrypted in a way that is no longer safe"]
  ] as const)("the error for the PKCS#12 file %s says that it %s", ([name, says], test) =>
    Effect.gen(function* () {
      if (openssl === undefined) return test.skip("there is no openssl")
      const { directory } = yield* makeFiles
      const error = yield* Effect.flip(connect(`${directory}/${name}`))
      assert.strictEqual(error.key, "client_pkcs12_path")
      assert.include(error.problem, `${says}`)
      assert.include(error.problem, `: ${directory}/${name}. `)
      assertNoCanary(error, passphrase)
    }).pipe(Effect.provide(TestLayer))
  )
})
