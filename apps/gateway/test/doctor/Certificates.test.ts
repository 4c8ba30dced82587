import { assert, describe, layer } from "@effect/vitest"
import { Certificates } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { TestLayer } from "../config/configFile.ts"
import { makeCertificates } from "../upstream/CertifiedServers.ts"
import { diagnosed, failures, startServers, stepOf } from "./Diagnosing.ts"

/** Servers with TLS, by a certificate of an authority. */
const startTls = Effect.fnUntraced(function* (
  authority: Effect.Success<ReturnType<typeof Certificates.makeAuthority>>,
  options: Parameters<typeof authority.issueServer>[0] = {}
) {
  const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer(options)
  return yield* startServers({ tls: { cert, key } })
})

describe("the diagnosis of a server with TLS", () => {
  layer(TestLayer)((it) => {
    it.effect("a server with TLS is well with the authority of `ca_bundle_path`, and fails without it", () =>
      Effect.gen(function* () {
        const { authority, caBundlePath } = yield* makeCertificates
        const { entry } = yield* startTls(authority)
        const trusted = yield* diagnosed({ servers: [entry({ ca_bundle_path: caBundlePath })] })
        assert.isEmpty(failures(trusted))
        assert.strictEqual(stepOf(trusted, "tls").status, "ok")
        const report = yield* diagnosed({ servers: [entry()] })
        assert.include(failures(report), "tls")
        assert.include(stepOf(report, "tls").message, "not of an authority that is trusted here")
        assert.include(stepOf(report, "tls").advice, "`ca_bundle_path`")
      })
    )

    it.effect("a server certificate that has expired fails the step `tls`", () =>
      Effect.gen(function* () {
        const { authority, caBundlePath } = yield* makeCertificates
        const { entry } = yield* startTls(authority, { notAfter: new Date("2020-01-01") })
        const report = yield* diagnosed({ servers: [entry({ ca_bundle_path: caBundlePath })] })
        assert.include(failures(report), "tls")
        assert.include(stepOf(report, "tls").message, "its certificate has expired")
      })
    )

    it.effect(
      "the step `certificate` shows thumbprint and end of the client certificate, and warns of one that ends soon",
      () =>
        Effect.gen(function* () {
          const { caBundlePath, authority, issue } = yield* makeCertificates
          const { entry } = yield* startTls(authority)
          const lasting = yield* issue("lasting")
          const report = yield* diagnosed({
            servers: [entry({ ...lasting.keys, ca_bundle_path: caBundlePath })]
          })
          assert.isEmpty(failures(report))
          assert.deepStrictEqual(stepOf(report, "certificate").facts, {
            thumbprint: lasting.thumbprintSha256,
            expires_at: "2049-01-01T00:00:00.000Z"
          })
          const ending = yield* issue("ending", { notAfter: new Date("2026-01-20") })
          const soon = yield* diagnosed({
            servers: [entry({ ...ending.keys, ca_bundle_path: caBundlePath })]
          })
          assert.strictEqual(stepOf(soon, "certificate").status, "warning")
          assert.isEmpty(failures(soon))
        })
    )

    it.effect("a client certificate that has expired fails, and nothing is connected to without it", () =>
      Effect.gen(function* () {
        const { authority, caBundlePath, issue } = yield* makeCertificates
        const { as, entry, mcp } = yield* startTls(authority)
        const ending = yield* issue("ended", { notAfter: new Date("2026-01-20") })
        const report = yield* diagnosed(
          { servers: [entry({ ...ending.keys, ca_bundle_path: caBundlePath })] },
          { meanwhile: TestClock.setTime(Date.parse("2026-02-01")) }
        )
        assert.deepStrictEqual(failures(report), ["certificate"])
        assert.include(stepOf(report, "certificate").message, "expired on 2026-01-20")
        assert.isEmpty([...(yield* as.requests), ...(yield* mcp.requests)])
      })
    )
  })
})
