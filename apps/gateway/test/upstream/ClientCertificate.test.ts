import * as NodeServices from "@effect/platform-node/NodeServices"
import { AuthorizationServer, clientCredentialsClient } from "@secure-mcp/authorization-server"
import { EchoServer } from "@secure-mcp/echo-server"
import { assert, describe, it } from "@effect/vitest"
import { Certificates } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import { connect, echo } from "../http/McpClient.ts"
import { failureIn, ping, send } from "../http/RawHttp.ts"
import { oauthAt, resource, startGateway, startTokenEndpoint } from "../http/RunningGateway.ts"

/** An authorization server and an MCP server that let in only who shows a certificate of their authority. */
const startMutualTls = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  const authority = yield* Certificates.makeAuthority("the tests")
  const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer()
  const ca = authority.certificatePem
  const client = yield* Effect.flatMap(authority.issueClient("gateway"), (issued) =>
    issued.writeTo(directory, "gateway")
  )
  const authorizationServer = yield* AuthorizationServer.make({
    clients: [clientCredentialsClient("gateway", "a-secret-of-the-tests")],
    resources: [{ identifier: resource, scopes: ["mcp:read"], accessTokenFormat: "opaque" }],
    tls: { key, cert, ca, requestCert: true, rejectUnauthorized: true }
  })
  const echoServer = yield* EchoServer.make({
    tls: { key: Redacted.make(key), cert, ca, requireClientCertificate: true }
  })
  return {
    authorizationServer,
    echoServer,
    caBundlePath: yield* authority.writeTo(directory, "ca"),
    certificate: {
      use_mtls: true,
      client_cert_path: client.certificatePath,
      client_key_path: client.privateKeyPath
    }
  }
}).pipe(Effect.provide(NodeServices.layer))

describe("an entry with use_mtls", () => {
  it.effect("an entry with use_mtls shows its certificate to both servers", () =>
    Effect.gen(function* () {
      const { authorizationServer, caBundlePath, certificate, echoServer } = yield* startMutualTls
      const gateway = yield* startGateway({
        servers: [
          {
            server_name: "echo",
            config: { url: echoServer.url },
            oauth: {
              ...oauthAt(authorizationServer.tokenEndpoint),
              ...certificate,
              ca_bundle_path: caBundlePath,
              enforce_https: true
            }
          }
        ]
      })
      const { client } = yield* connect(gateway.mcp("echo"), "2026-07-28")
      const text = yield* echo(client)
      const [request] = yield* echoServer.requests
      const token = request?.authorization && Redacted.value(request.authorization).slice("Bearer ".length)
      assert.strictEqual(text, `Received token: ${token?.slice(0, 20)}...`)
      assert.deepInclude(yield* authorizationServer.verify(token ?? ""), { active: true })
    })
  )

  it.effect("an entry with use_mtls does not share its connections with an entry without it", () =>
    Effect.gen(function* () {
      const { authorizationServer, caBundlePath, certificate, echoServer } = yield* startMutualTls
      const tokenEndpoint = yield* startTokenEndpoint
      const config = { url: echoServer.url }
      const gateway = yield* startGateway({
        servers: [
          {
            server_name: "with-certificate",
            config,
            oauth: {
              ...oauthAt(authorizationServer.tokenEndpoint),
              ...certificate,
              ca_bundle_path: caBundlePath
            }
          },
          {
            server_name: "without-certificate",
            config,
            oauth: { ...tokenEndpoint.oauth, ca_bundle_path: caBundlePath }
          },
          { server_name: "without-authority", config, oauth: tokenEndpoint.oauth }
        ]
      })
      yield* connect(gateway.mcp("with-certificate"), "2026-07-28")
      const reached = (yield* echoServer.requests).length

      const refused = yield* send(gateway.mcp("without-certificate"), ping)
      assert.strictEqual(refused.status, 502)
      assert.strictEqual(failureIn(refused).error.data.reason, "UpstreamUnreachable")
      assert.include(failureIn(refused).error.message, "use_mtls")

      const untrusted = yield* send(gateway.mcp("without-authority"), ping)
      assert.strictEqual(untrusted.status, 502)
      assert.strictEqual(failureIn(untrusted).error.data.reason, "UpstreamUnreachable")
      assert.include(failureIn(untrusted).error.message, "ca_bundle_path")

      assert.lengthOf(yield* echoServer.requests, reached)
    })
  )
})
