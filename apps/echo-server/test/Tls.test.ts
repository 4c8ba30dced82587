import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { request } from "node:https"
import { EchoServer } from "@secure-mcp/echo-server"
import { Certificates, type IssuedCertificate } from "@secure-mcp/testing"

/** The status of a tools/list over TLS, or undefined when the connection is refused. */
const statusOf = (url: string, ca: string, client?: IssuedCertificate) =>
  Effect.promise(
    () =>
      new Promise<number | undefined>((resolve) => {
        request(
          url,
          {
            method: "POST",
            ca,
            agent: false,
            headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
            ...(client === undefined ? {} : { key: client.privateKeyPem, cert: client.certificatePem })
          },
          (response) => resolve(response.resume().statusCode)
        )
          .on("error", () => resolve(undefined))
          .end(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }))
      })
  )

describe("EchoServer over TLS", () => {
  it.effect("answers only clients with a certificate of its authority when it requires one", () =>
    Effect.gen(function* () {
      const authority = yield* Certificates.makeAuthority("echo")
      const stranger = yield* Certificates.makeAuthority("stranger")
      const certificate = yield* authority.issueServer()
      const tls = {
        key: Redacted.make(certificate.privateKeyPem),
        cert: certificate.certificatePem,
        ca: authority.certificatePem
      }
      const strict = yield* EchoServer.make({ tls: { ...tls, requireClientCertificate: true } })
      const open = yield* EchoServer.make({ tls })
      const ca = authority.certificatePem

      // 400: the connection stands, and a ping without a session is not in order.
      assert.strictEqual(yield* statusOf(strict.url, ca, yield* authority.issueClient("gateway")), 400)
      assert.isUndefined(yield* statusOf(strict.url, ca, yield* stranger.issueClient("gateway")))
      assert.isUndefined(yield* statusOf(strict.url, ca))
      assert.strictEqual(yield* statusOf(open.url, ca), 400)
      assert.lengthOf(yield* strict.requests, 1)
    })
  )
})
