import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as TestClock from "effect/testing/TestClock"
import {
  makeCertificates,
  startGatewayFor,
  startNodeServers,
  untilReloaded
} from "../upstream/CertifiedServers.ts"
import { send } from "../http/RawHttp.ts"

const gauge = "mcp_oauth_client_certificate_expiry_timestamp_seconds"

const readGauge = (gateway: { readonly url: string }) =>
  Effect.map(send(`${gateway.url}/metrics`), ({ body }) =>
    body
      .toString()
      .split("\n")
      .filter((line) => line.startsWith(`${gauge}{`))
  )

describe("the expiry of a client certificate", () => {
  it.effect("the expiry can be scraped before the first request, and again after a replacement", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const { authority, caBundlePath, issue } = yield* makeCertificates
      const servers = yield* startNodeServers(authority)
      const { keys } = yield* issue("client", { notAfter: new Date("2027-01-01") })
      const gateway = yield* startGatewayFor(servers, { ...keys, ca_bundle_path: caBundlePath })
      assert.deepStrictEqual(yield* readGauge(gateway), [
        `${gauge}{server="remote"} ${Date.parse("2027-01-01") / 1000}`
      ])

      const renewed = yield* issue("renewed", { notAfter: new Date("2028-01-01") })
      yield* files.writeFileString(keys.client_cert_path, renewed.certificatePem)
      yield* files.writeFileString(keys.client_key_path, renewed.privateKeyPem)
      yield* untilReloaded(gateway.logs)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* readGauge(gateway), [
        `${gauge}{server="remote"} ${Date.parse("2028-01-01") / 1000}`
      ])
      assert.deepStrictEqual(yield* servers.letIn, [])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("a server without a certificate has no expiry metric", () =>
    Effect.gen(function* () {
      const { authority, caBundlePath } = yield* makeCertificates
      const servers = yield* startNodeServers(authority, { open: true })
      const gateway = yield* startGatewayFor(servers, { ca_bundle_path: caBundlePath })
      assert.strictEqual((yield* gateway.ask).status, 200)
      assert.deepStrictEqual(yield* readGauge(gateway), [])
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
