import * as NodeServices from "@effect/platform-node/NodeServices"
import { AuthorizationServer, certificateClient } from "@secure-mcp/authorization-server"
import { EchoServer } from "@secure-mcp/echo-server"
import { assert, describe, it } from "@effect/vitest"
import { Answer, Certificates, type RecordedRequest, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { passedOnTo } from "../login/ProtectedServer.ts"
import { connect, echo } from "../http/McpClient.ts"
import { failureIn, ping, send } from "../http/RawHttp.ts"
import { startGateway } from "../http/RunningGateway.ts"

/** An MCP server that takes a token only over the certificate it is bound to, and the servers around it. */
const startServers = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  const authority = yield* Certificates.makeAuthority("the tests")
  const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer()
  const ca = authority.certificatePem
  const issued = yield* authority.issueClient("gateway")
  const paths = yield* issued.writeTo(directory, "gateway")
  const caBundlePath = yield* authority.writeTo(directory, "ca")
  const verifier = yield* Deferred.make<AuthorizationServer["Service"]>()
  const echoServer = yield* EchoServer.make()
  const tls = { key, cert, ca, requireClientCertificate: true }
  const mcp = yield* StubAuthorizationServer.make({ tls })
  yield* mcp.always(
    "/mcp",
    Answer.respondWith((request) =>
      Effect.map(Effect.flatMap(Deferred.await(verifier), isBoundToItsConnection(request)), (isBound) =>
        isBound ? passedOnTo(echoServer.url) : Answer.status(401)
      )
    )
  )
  const resource = mcp.endpoint("/mcp")
  const authorizationServer = yield* AuthorizationServer.make({
    clients: [certificateClient("gateway", "tls_client_auth", issued.certificatePem)],
    resources: [{ identifier: resource, scopes: ["mcp:read"], accessTokenFormat: "jwt" }],
    tls: { key, cert, mtlsAuthorities: ca }
  })
  yield* Deferred.succeed(verifier, authorizationServer)
  const entry = (oauth: object) => ({
    server_name: "echo",
    config: { url: resource },
    oauth: {
      enabled: true,
      version: "2.1",
      issuer: authorizationServer.issuer,
      client_id: "gateway",
      resource,
      scope: "mcp:read",
      use_mtls: true,
      client_cert_path: paths.certificatePath,
      client_key_path: paths.privateKeyPath,
      ca_bundle_path: caBundlePath,
      ...oauth
    }
  })
  return { authority, authorizationServer, echoServer, entry, mcp, tls }
}).pipe(Effect.provide(NodeServices.layer))

/** RFC 8705 §3 */
const isBoundToItsConnection =
  ({ headers, peerFingerprint256 = "" }: RecordedRequest) =>
  ({ verify }: AuthorizationServer["Service"]) =>
    Effect.map(verify(headers.authorization?.replace("Bearer ", "") ?? ""), (token) => {
      const presented = Buffer.from(peerFingerprint256.replaceAll(":", ""), "hex").toString("base64url")
      return token.active && token.cnf?.["x5t#S256"] === presented
    })

describe("a token that is bound to the certificate of an entry", () => {
  it.effect("a bound token is obtained with the entry's certificate only, and accepted with it", () =>
    Effect.gen(function* () {
      const { authorizationServer, echoServer, entry } = yield* startServers
      const gateway = yield* startGateway({
        servers: [entry({ token_endpoint_auth_method: "tls_client_auth" })]
      })
      const { client } = yield* connect(gateway.mcp("echo"), "2026-07-28")
      assert.match(yield* echo(client), /^Received token: eyJ/)
      const [request, ...more] = yield* authorizationServer.tokenRequests
      assert.isEmpty(more)
      assert.isUndefined(request?.headers.authorization)
      assert.strictEqual(request?.form["client_id"], "gateway")
      assert.notProperty(request?.form ?? {}, "client_secret")
      assert.isNotEmpty(yield* echoServer.requests)
    })
  )

  it.effect("a token that is bound to another certificate is neither stored nor served", () =>
    Effect.gen(function* () {
      const { authority, entry, mcp, tls } = yield* startServers
      const other = yield* authority.issueClient("proxy")
      const token = `${encode({ alg: "none" })}.${encode({ cnf: { "x5t#S256": other.thumbprintSha256 } })}.c2ln`
      const tokenEndpoint = yield* StubAuthorizationServer.make({ tls })
      yield* tokenEndpoint.always("/token", Answer.token({ access_token: token }))
      const gateway = yield* startGateway({
        servers: [entry({ token_url: tokenEndpoint.endpoint("/token") })]
      })
      for (const attempt of [1, 2]) {
        const answer = yield* send(gateway.mcp("echo"), ping)
        assert.strictEqual(answer.status, 502)
        const { error } = failureIn(answer)
        assert.deepInclude(error.data, { reason: "CertificateBindingMismatch", server_name: "echo" })
        assert.include(error.message, "is bound to another certificate than the one presented (x5t#S256 ")
        assert.lengthOf(yield* tokenEndpoint.requests, attempt)
      }
      assert.isEmpty(yield* mcp.requests)
      const metrics = yield* send(`${gateway.url}/metrics`)
      assert.match(
        metrics.body.toString(),
        /failure_total\{[^}]*reason="CertificateBindingMismatch"[^}]*\} 2/
      )
    })
  )
})

const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url")
