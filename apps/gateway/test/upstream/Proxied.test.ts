import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Answer, Certificates, startConnectProxy, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import { ping, send } from "../http/RawHttp.ts"
import { oauthAt, startGateway } from "../http/RunningGateway.ts"

/** An MCP server and its authorization server, under names that only the proxy knows. */
const startBehindProxy = Effect.fnUntraced(function* (credentials?: string) {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  const authority = yield* Certificates.makeAuthority("the tests")
  const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer({
    names: ["mcp.example", "as.example"]
  })
  const server = yield* StubAuthorizationServer.make({
    tls: { cert, key, ca: authority.certificatePem, requireClientCertificate: true }
  })
  yield* server.always("/token", Answer.token({ access_token: "token-1" }))
  yield* server.always("/mcp", Answer.json({ jsonrpc: "2.0", id: 1, result: {} }))
  const issued = yield* authority.issueClient("gateway")
  const client = yield* issued.writeTo(directory, "gateway")
  const port = Number(new URL(server.url).port)
  const proxy = yield* startConnectProxy({
    hosts: { "mcp.example": port, "as.example": port },
    ...(credentials === undefined ? {} : { credentials })
  })
  const entry = {
    server_name: "remote",
    config: { url: "https://mcp.example/mcp" },
    oauth: {
      ...oauthAt("https://as.example/token"),
      enforce_https: true,
      use_mtls: true,
      client_cert_path: client.certificatePath,
      client_key_path: client.privateKeyPath,
      ca_bundle_path: yield* authority.writeTo(directory, "ca")
    }
  }
  return { entry, proxy, server }
})

const start = (credentials?: string) => Effect.provide(startBehindProxy(credentials), NodeServices.layer)

describe("a gateway behind a proxy", () => {
  it.effect("token and MCP server are reached through the proxy, with the client certificate", () =>
    Effect.gen(function* () {
      const { entry, proxy, server } = yield* start("user:hunter22")
      const url = proxy.url.replace("://", "://user:hunter22@")
      const gateway = yield* startGateway({ gateway: { proxy: url }, servers: [entry] })
      assert.strictEqual((yield* send(gateway.mcp("remote"), ping)).status, 200)
      const [request] = yield* server.requestsTo("/mcp")
      const authorization = request?.headers["authorization"]
      assert.strictEqual(
        Redacted.isRedacted(authorization) ? Redacted.value(authorization) : authorization,
        "Bearer token-1"
      )
      assert.deepStrictEqual([...(yield* proxy.asked)].sort(), ["as.example:443", "mcp.example:443"])
    })
  )

  it.effect("the error of a refusing proxy names it, without the credentials in its URL", () =>
    Effect.gen(function* () {
      const { entry, proxy } = yield* start("user:password")
      const url = proxy.url.replace("://", "://user:hunter22@")
      const { oauth: _, ...withoutToken } = entry
      const gateway = yield* startGateway({
        gateway: { proxy: url },
        servers: [withoutToken]
      })
      const answer = yield* send(gateway.mcp("remote"), ping)
      assert.strictEqual(answer.status, 502)
      const body = answer.body.toString()
      assert.include(body, `the proxy ${proxy.url} does not accept the user name and password`)
      assert.notInclude(body + gateway.logs.join(), "hunter22")
    })
  )

  it.effect("an entry with proxy false and servers on this machine are reached without the proxy", () =>
    Effect.gen(function* () {
      const { entry, proxy } = yield* start()
      const local = yield* StubAuthorizationServer.make()
      yield* local.always("/mcp", Answer.json({}))
      const gateway = yield* startGateway({
        gateway: { proxy: proxy.url },
        servers: [
          { server_name: "direct", config: entry.config, proxy: false },
          { server_name: "local", config: { url: local.endpoint("/mcp") } }
        ]
      })
      const direct = yield* send(gateway.mcp("direct"), ping)
      assert.include(direct.body.toString(), "the host name is unknown")
      assert.strictEqual((yield* send(gateway.mcp("local"), ping)).status, 200)
      assert.lengthOf(yield* proxy.asked, 0)
    })
  )
})
