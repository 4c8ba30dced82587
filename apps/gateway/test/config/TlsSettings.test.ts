import { assert, describe, layer } from "@effect/vitest"
import { assertNoCanary, canary, Certificates } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { entryWith, load, problemsOf, TestLayer } from "./configFile.ts"

const withTls = (tls: unknown) => ({ gateway: { tls }, servers: [entryWith()] })

const secret = canary("passphrase")

describe("gateway.tls", () => {
  layer(TestLayer)((it) => {
    it.effect("a certificate with its key is read, encrypted or not, and the authorities of clients", () =>
      Effect.gen(function* () {
        const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
        const authority = yield* Certificates.makeAuthority("CA")
        const plain = yield* (yield* authority.issueServer()).writeTo(directory, "plain")
        const locked = yield* (yield* authority.issueServer({ passphrase: secret })).writeTo(
          directory,
          "locked"
        )
        const clientCaPath = yield* authority.writeTo(directory, "clients")
        const { gateway } = yield* load(
          withTls({
            cert_path: plain.certificatePath,
            key_path: plain.privateKeyPath,
            client_ca_path: clientCaPath
          })
        )
        assert.deepStrictEqual(gateway.tls, {
          certPath: plain.certificatePath,
          keyPath: plain.privateKeyPath,
          clientCaPath
        })
        const files = { cert_path: locked.certificatePath, key_path: locked.privateKeyPath }
        yield* load(withTls({ ...files, key_passphrase: "${env:PASSPHRASE}" }), { PASSPHRASE: secret })
        assert.notProperty((yield* load({ servers: [entryWith()] })).gateway, "tls")

        const [missing = "", ...others] = yield* problemsOf(withTls(files))
        assert.isEmpty(others)
        assert.include(missing, "gateway.tls.key_passphrase: is required: the private key is encrypted in")
        const wrong = yield* problemsOf(withTls({ ...files, key_passphrase: `not ${secret}` }))
        assert.include(wrong.join(), "gateway.tls.key_passphrase: does not open the private key in")
        assertNoCanary(wrong.join(), secret)
      })
    )

    it.effect("each file that cannot be used is a problem that names it", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const directory = yield* files.makeTempDirectoryScoped()
        const authority = yield* Certificates.makeAuthority("CA")
        const issue = (name: string, options = {}) =>
          Effect.flatMap(authority.issueServer(options), ({ writeTo }) => writeTo(directory, name))
        const good = yield* issue("good")
        const other = yield* issue("other")
        const early = yield* issue("early", Certificates.notYetValid)
        const empty = `${directory}/empty`
        yield* files.writeFileString(empty, "")
        const pair = { cert_path: good.certificatePath, key_path: good.privateKeyPath }
        const problems = [
          [{ ...pair, cert_path: `${directory}/none` }, "cert_path: names a file that does not exist"],
          [{ ...pair, cert_path: empty }, "cert_path: holds no PEM certificate"],
          [{ ...pair, key_path: empty }, "key_path: holds no PEM private key"],
          [{ ...pair, key_path: other.privateKeyPath }, "key_path: holds another key than that of"],
          [{ ...pair, client_ca_path: empty }, "client_ca_path: holds no PEM certificate"],
          [
            { cert_path: early.certificatePath, key_path: early.privateKeyPath },
            "cert_path: holds a certificate that is not valid before 2048"
          ]
        ] as const
        for (const [tls, expected] of problems) {
          const [problem = "", ...others] = yield* problemsOf(withTls(tls))
          assert.isEmpty(others)
          assert.include(problem, `gateway.tls.${expected}`)
          assert.include(problem, directory)
        }
      })
    )

    it.effect("keys that are missing, empty, unknown or ill-typed are problems", () =>
      Effect.gen(function* () {
        assert.sameMembers(yield* problemsOf(withTls({ cert_path: "a", certificate: "x", key_path: 7 })), [
          "gateway.tls.certificate: unknown key",
          "gateway.tls.key_path: Expected string"
        ])
        assert.deepStrictEqual(yield* problemsOf(withTls({ cert_path: "", key_path: "a" })), [
          "gateway.tls.cert_path: must not be empty"
        ])
        assert.sameMembers(yield* problemsOf(withTls({})), [
          "gateway.tls.cert_path: required",
          "gateway.tls.key_path: required"
        ])
        assert.lengthOf(yield* problemsOf(withTls("server.pem")), 1)
        assert.lengthOf(yield* problemsOf({ gateway: "tls", servers: [entryWith()] }), 1)
      })
    )
  })
})
