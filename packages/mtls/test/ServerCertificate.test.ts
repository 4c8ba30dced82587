import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { checkServerCertificate, useServerCertificate } from "@secure-mcp/mtls"
import { Certificates } from "@secure-mcp/testing"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"

const provideFiles = Effect.provide(NodeServices.layer)

/** The files of a server whose certificate ends after some days; the clock of the test starts in 1970. */
const makeFiles = Effect.fnUntraced(function* (days: number) {
  const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
  const authority = yield* Certificates.makeAuthority("CA")
  const issued = yield* authority.issueServer({ notAfter: new Date(days * 86_400_000) })
  const { certificatePath, privateKeyPath } = yield* issued.writeTo(directory, "server")
  return { issued, paths: { certPath: certificatePath, keyPath: privateKeyPath } }
})

describe("the certificate of a server", () => {
  it.effect("a server is set up once with files that do not change, with TLS 1.2 as the least", () =>
    Effect.gen(function* () {
      const { issued, paths } = yield* makeFiles(100)
      const given: Array<unknown> = []
      yield* useServerCertificate(paths, (options) => Effect.sync(() => void given.push(options)))
      yield* Effect.repeat(TestClock.adjust("10 seconds"), { times: 10 })
      assert.deepStrictEqual(given, [
        {
          minVersion: "TLSv1.2",
          cert: `${issued.certificatePem.trim()}\n`,
          key: issued.privateKeyPem
        }
      ])
    }).pipe(provideFiles)
  )

  it.effect("a certificate that ends soon is a warning, and one that has ended cannot be used", () =>
    Effect.gen(function* () {
      const { paths } = yield* makeFiles(10)
      const logged = yield* Deferred.make<string>()
      const recorder = Logger.make(({ message }) =>
        Deferred.doneUnsafe(logged, Effect.succeed(String(message)))
      )
      yield* useServerCertificate(paths, () => Effect.void).pipe(Effect.provide(Logger.layer([recorder])))
      assert.strictEqual(
        yield* Deferred.await(logged),
        `The certificate of the server in ${paths.certPath} (\`cert_path\`) expires on 1970-01-11T00:00:00.000Z, in 10 days. Put a new one there; it is used without a restart`
      )
      yield* TestClock.adjust("11 days")
      const error = yield* Effect.flip(checkServerCertificate(paths))
      assert.strictEqual(error.key, "cert_path")
      assert.include(error.problem, "expired on 1970-01-11")
    }).pipe(provideFiles)
  )
})
