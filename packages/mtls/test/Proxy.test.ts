import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { ClientCertificates, type ClientConnection, MtlsOAuthHttp } from "@secure-mcp/mtls"
import { describeConnectionFailure, OAuthHttp, type Proxies } from "@secure-mcp/oauth-core"
import {
  Answer,
  Certificates,
  type ConnectProxyOptions,
  refusedPort,
  startConnectProxy,
  StubAuthorizationServer
} from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { configOf, configWith, statusOf, thumbprintOf } from "./MutualTls.ts"

const TestLayer = ClientCertificates.layerOptions({ connectTimeout: "500 millis" }).pipe(
  Layer.provideMerge(NodeServices.layer)
)

/** A server with a client certificate's authority, under a name that only the proxy knows. */
const makeNetwork = Effect.fnUntraced(function* (
  options: Omit<ConnectProxyOptions, "hosts" | "tls"> & { readonly https?: boolean } = {}
) {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  const authority = yield* Certificates.makeAuthority("Test CA")
  const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer({
    names: ["mcp.example"]
  })
  const issued = yield* authority.issueClient("alice")
  const alice = { ...issued, ...(yield* issued.writeTo(directory, "alice")) }
  const server = yield* StubAuthorizationServer.make({ tls: { key, cert, ca: authority.certificatePem } })
  const plain = yield* StubAuthorizationServer.make()
  for (const { always } of [server, plain]) yield* always("/mcp", Answer.status(200))
  const { https, ...rest } = options
  const proxy = yield* startConnectProxy({
    ...rest,
    ...(https === true ? { tls: { key, cert } } : {}),
    hosts: { "mcp.example": portOf(server.url), "plain.example": portOf(plain.url) }
  })
  const caBundlePath = yield* authority.writeTo(directory, "ca")
  return { alice, caBundlePath, config: configWith({ ca_bundle_path: caBundlePath }), plain, proxy, server }
})

const portOf = (url: string): number => Number(new URL(url).port)

const proxiesAt = (url: string, noProxy?: string): Proxies => ({
  http: Redacted.make(url),
  https: Redacted.make(url),
  noProxy
})

/** What an error message says of a request that gets no answer. */
const problemOf = ({ dispatcher }: ClientConnection, url: string) =>
  Effect.tryPromise({
    try: () => dispatcher.request({ origin: new URL(url).origin, path: "/mcp", method: "GET" }),
    catch: (error) => describeConnectionFailure(error, { https: true, useMtls: false })
  }).pipe(Effect.flip)

describe("connections through a proxy", () => {
  it.effect.each([false, true])(
    "servers over http and https are reached by CONNECT; proxy over https: %s",
    (https) =>
      Effect.gen(function* () {
        const { config, proxy } = yield* makeNetwork({ https })
        const connection = yield* (yield* ClientCertificates).connection(config, proxiesAt(proxy.url))
        for (const url of [
          "https://mcp.example/mcp",
          "http://plain.example/mcp",
          "https://mcp.example:8443/mcp"
        ])
          assert.strictEqual(yield* statusOf(connection, url), 200)
        assert.deepStrictEqual(yield* proxy.asked, [
          "mcp.example:443",
          "plain.example:80",
          "mcp.example:8443"
        ])
        assert.isTrue(connection.usesProxy("https://mcp.example/mcp"))
      }).pipe(Effect.provide(TestLayer))
  )

  it.effect.each([false, true])(
    "the client certificate is shown to the server and not to the proxy; proxy over https: %s",
    (https) =>
      Effect.gen(function* () {
        const { alice, caBundlePath, plain, proxy, server } = yield* makeNetwork({ https })
        const connection = yield* (yield* ClientCertificates).connection(
          configOf(alice, caBundlePath),
          proxiesAt(proxy.url)
        )
        assert.strictEqual(yield* statusOf(connection, "https://mcp.example/mcp"), 200)
        const [request] = yield* server.requests
        assert.strictEqual(thumbprintOf(request?.peerFingerprint256), alice.thumbprintSha256)
        assert.strictEqual(connection.certificateThumbprint, alice.thumbprintSha256)
        yield* problemOf(connection, "http://plain.example")
        assert.lengthOf(yield* plain.requests, 0)
      }).pipe(Effect.provide(TestLayer))
  )

  it.effect("tunnels are reused by later requests", () =>
    Effect.gen(function* () {
      const { config, proxy } = yield* makeNetwork()
      const certificates = yield* ClientCertificates
      const first = yield* certificates.connection(config, proxiesAt(proxy.url))
      for (let count = 0; count < 10; count++) yield* statusOf(first, "https://mcp.example/mcp")
      assert.isAtMost((yield* proxy.asked).length, 2)
      assert.strictEqual(yield* certificates.connection(config, proxiesAt(proxy.url)), first)
      assert.notStrictEqual(yield* certificates.connection(config), first)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("this machine and what NO_PROXY names are reached without the proxy", () =>
    Effect.gen(function* () {
      const { config, plain, proxy, server } = yield* makeNetwork()
      const certificates = yield* ClientCertificates
      const connection = yield* certificates.connection(config, proxiesAt(proxy.url, ".example"))
      assert.strictEqual(yield* statusOf(connection, server.endpoint("/mcp")), 200)
      assert.strictEqual(yield* statusOf(connection, plain.endpoint("/mcp")), 200)
      assert.strictEqual(
        (yield* problemOf(connection, "https://mcp.example")).problem,
        "the host name is unknown"
      )
      assert.isFalse(connection.usesProxy("https://mcp.example/mcp"))
      assert.lengthOf(yield* proxy.asked, 0)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("the credentials in the URL of a proxy are sent to the proxy only", () =>
    Effect.gen(function* () {
      const { config, proxy, server } = yield* makeNetwork({ credentials: "us:p@ss%" })
      const url = proxy.url.replace("://", "://us:p%40ss%25@")
      const connection = yield* (yield* ClientCertificates).connection(config, proxiesAt(url))
      assert.strictEqual(yield* statusOf(connection, "https://mcp.example/mcp"), 200)
      const [request] = yield* server.requests
      assert.notProperty(request?.headers, "proxy-authorization")
    }).pipe(Effect.provide(TestLayer))
  )

  const refusals = [
    [{ credentials: "user:password" }, "does not accept the user name and password, or there are none (407)"],
    [{ refusal: 403 }, "gave no connection to it (403)"],
    [{ refusal: 502 }, "gave no connection to it (502)"],
    [{ refusal: "closed" }, "cannot be used: the connection was closed before an answer came"],
    [{ refusal: "hangs" }, "cannot be used: no answer in time"]
  ] as const

  it.live.each(refusals)(
    "the error of a refused tunnel names the proxy, without its credentials: %j",
    ([options, problem]) =>
      Effect.gen(function* () {
        const { config, proxy, server } = yield* makeNetwork(options)
        const url = proxy.url.replace("://", "://user:hunter2@")
        const connection = yield* (yield* ClientCertificates).connection(config, proxiesAt(url))
        const failure = yield* problemOf(connection, "https://mcp.example")
        assert.deepStrictEqual(failure.problem, `the proxy ${proxy.url} ${problem}`)
        assert.strictEqual(failure.code, "PROXY_FAILED")
        assert.notInclude(JSON.stringify(failure), "hunter2")
        assert.lengthOf(yield* server.requests, 0)
      }).pipe(Effect.provide(TestLayer))
  )

  it.effect("the error for a proxy that is down names the proxy", () =>
    Effect.gen(function* () {
      const { config } = yield* makeNetwork()
      const url = `http://localhost:${yield* refusedPort}`
      const connection = yield* (yield* ClientCertificates).connection(config, proxiesAt(url))
      assert.strictEqual(
        (yield* problemOf(connection, "https://mcp.example")).problem,
        `the proxy ${url} cannot be used: connection refused`
      )
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("the error for an untrusted certificate of a proxy names the proxy", () =>
    Effect.gen(function* () {
      const { proxy } = yield* makeNetwork({ https: true })
      const connection = yield* (yield* ClientCertificates).connection(undefined, proxiesAt(proxy.url))
      assert.match(
        (yield* problemOf(connection, "https://mcp.example")).problem,
        /^the proxy https:\/\/localhost:\d+ cannot be used: its certificate is not of an authority/
      )
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("the authorization server is reached through the proxy", () =>
    Effect.gen(function* () {
      const { config, proxy } = yield* makeNetwork()
      const { client, usesProxy } = yield* (yield* OAuthHttp).connection(config, {
        proxies: proxiesAt(proxy.url)
      })
      assert.strictEqual((yield* client.post("https://mcp.example/mcp")).status, 200)
      assert.isTrue(usesProxy?.("https://mcp.example/mcp"))
      assert.deepStrictEqual(yield* proxy.asked, ["mcp.example:443"])
    }).pipe(Effect.provide(MtlsOAuthHttp.layer.pipe(Layer.provideMerge(TestLayer))))
  )
})
