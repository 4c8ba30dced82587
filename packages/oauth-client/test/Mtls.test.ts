import { assert, describe, it } from "@effect/vitest"
import { Answer, Certificates, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { errorOf, makeClient } from "./Servers.ts"

/** A server of both kinds that refuses connections without a certificate of its authority. */
const makeMutualTls = Effect.gen(function* () {
  const authority = yield* Certificates.makeAuthority("clients")
  const own = yield* authority.issueServer()
  const ours = yield* authority.issueClient("agent")
  const server = yield* StubAuthorizationServer.make({
    tls: {
      key: own.privateKeyPem,
      cert: own.certificatePem,
      ca: authority.certificatePem,
      requireClientCertificate: true
    }
  })
  yield* server.always("/token", Answer.token({ access_token: "bound" }))
  yield* server.always("/mcp", Answer.text("welcome"))
  const options = {
    serverUrl: server.endpoint("/mcp"),
    token_url: server.endpoint("/token"),
    client_id: "agent",
    token_endpoint_auth_method: "tls_client_auth",
    certificate: { cert: ours.certificatePem, key: ours.privateKeyPem, ca: authority.certificatePem }
  } as const
  return { options, server }
})

describe("a client with a certificate", () => {
  it.live("both servers are shown the certificate that is given as data", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeMutualTls
      const client = yield* makeClient(options)
      const form = new FormData()
      form.set("a", "1")
      const bodies = ['{"id":1}', form, new Blob(["{}"]).stream()]
      for (const body of bodies) {
        const duplex = body instanceof ReadableStream ? { duplex: "half" as const } : {}
        const response = yield* Effect.promise(() =>
          client.fetch(options.serverUrl, { method: "POST", body, ...duplex })
        )
        assert.instanceOf(response, Response)
        assert.deepStrictEqual([response.status, response.url], [200, options.serverUrl])
        yield* Effect.promise(() => response.text())
      }
      const requests = yield* server.requests
      assert.deepStrictEqual(
        requests.map(({ path }) => path),
        ["/token", "/mcp", "/mcp", "/mcp"]
      )
      for (const { headers, path, peerFingerprint256 } of requests) {
        assert.isString(peerFingerprint256)
        if (path === "/mcp") assert.strictEqual(headers.authorization, "Bearer bound")
      }
      assert.include(requests[2]?.headers["content-type"], "multipart/form-data; boundary=")
      assert.include(requests[2]?.body, 'name="a"')
    })
  )

  it.live("a certificate that is no PEM is an error that names it, and nothing is sent", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeMutualTls
      const certificate = { ...options.certificate, cert: "no PEM" }
      const client = yield* makeClient({ ...options, certificate })
      const error = yield* errorOf(() => client.getAccessToken())
      assert.strictEqual(error.reason, "CertificateUnusable")
      assert.include(error.message, "certificate.cert")
      assert.lengthOf(yield* server.requests, 0)
    })
  )
})
