import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { ClientCertificates } from "@secure-mcp/mtls"
import { AddressLookup, type AddressRule, describeConnectionFailure } from "@secure-mcp/oauth-core"
import { Answer, Certificates, startConnectProxy, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { configWith, statusOf } from "./MutualTls.ts"

const exceptLoopback: AddressRule = { id: "no loopback", allows: (address) => address !== "127.0.0.1" }
const anywhere: AddressRule = { id: "any", allows: () => true }

/** The same host over http and https, at this machine. */
const makeServers = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const authority = yield* Certificates.makeAuthority("Test CA")
  const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer({ names: ["as.example"] })
  const http = yield* StubAuthorizationServer.make()
  const https = yield* StubAuthorizationServer.make({ tls: { key, cert } })
  for (const { always } of [http, https]) yield* always("/token", Answer.status(200))
  const caBundlePath = yield* authority.writeTo(yield* files.makeTempDirectoryScoped(), "ca")
  const at = (server: { readonly url: string }) => {
    const url = new URL("/token", server.url)
    url.hostname = "as.example"
    return url.href
  }
  return {
    config: configWith({ ca_bundle_path: caBundlePath }),
    servers: [http, https],
    places: [at(http), at(https)]
  }
})

/** An attacker's DNS: each answer is another one. */
const answering = (...answers: ReadonlyArray<ReadonlyArray<string>>) => {
  const rest = [...answers]
  return ClientCertificates.layer.pipe(
    Layer.provide(
      Layer.succeed(AddressLookup, {
        lookup: () => Effect.sync(() => (rest.length > 1 ? (rest.shift() ?? []) : (rest[0] ?? [])))
      })
    ),
    Layer.provideMerge(NodeServices.layer)
  )
}

const refusal = Effect.fnUntraced(function* (
  connection: Effect.Success<ReturnType<(typeof ClientCertificates)["Service"]["connection"]>>,
  url: string
) {
  const { origin, pathname: path } = new URL(url)
  return yield* Effect.tryPromise({
    try: () => connection.dispatcher.request({ origin, path, method: "GET" }),
    catch: (error) => describeConnectionFailure(error, { https: true, useMtls: false })
  }).pipe(Effect.flip)
})

describe("the addresses of a connection", () => {
  it.effect(
    "an address that is not allowed gets no connection, over http and https, however often DNS answers",
    () =>
      Effect.gen(function* () {
        const { config, places, servers } = yield* makeServers
        const connection = yield* (yield* ClientCertificates).connection(config, undefined, exceptLoopback)
        for (const place of places)
          assert.deepInclude(yield* refusal(connection, place), { code: "ADDRESS_NOT_ALLOWED" })
        for (const server of servers) assert.isEmpty(yield* server.requests)
      }).pipe(Effect.provide(answering(["93.184.215.14", "127.0.0.1"], ["127.0.0.1"])))
  )

  it.effect("a connection is made to an address that is allowed, over http and https", () =>
    Effect.gen(function* () {
      const { config, places } = yield* makeServers
      const connection = yield* (yield* ClientCertificates).connection(config, undefined, anywhere)
      for (const place of places) assert.strictEqual(yield* statusOf(connection, place), 200)
    }).pipe(Effect.provide(answering(["127.0.0.1"])))
  )

  it.effect("a host without an address is an error with the code of the resolver", () =>
    Effect.gen(function* () {
      const { places } = yield* makeServers
      const connection = yield* (yield* ClientCertificates).connection(undefined, undefined, anywhere)
      assert.deepInclude(yield* refusal(connection, places[0] ?? ""), { code: "EAI_AGAIN" })
    }).pipe(
      Effect.provide(
        ClientCertificates.layer.pipe(
          Layer.provide(Layer.succeed(AddressLookup, { lookup: () => Effect.fail({ code: "EAI_AGAIN" }) })),
          Layer.provideMerge(NodeServices.layer)
        )
      )
    )
  )

  it.effect("connections of one rule are not used by another", () =>
    Effect.gen(function* () {
      const { config, places } = yield* makeServers
      const certificates = yield* ClientCertificates
      const free = yield* certificates.connection(config, undefined, anywhere)
      assert.strictEqual(yield* statusOf(free, places[0] ?? ""), 200)
      const ruled = yield* certificates.connection(config, undefined, exceptLoopback)
      assert.deepInclude(yield* refusal(ruled, places[0] ?? ""), { code: "ADDRESS_NOT_ALLOWED" })
      assert.strictEqual(yield* certificates.connection(config, undefined, { ...exceptLoopback }), ruled)
    }).pipe(Effect.provide(answering(["127.0.0.1"])))
  )

  it.effect("a proxy looks hosts up itself, and its own address is not checked", () =>
    Effect.gen(function* () {
      const { config, servers } = yield* makeServers
      const port = Number(new URL(servers[0]?.url ?? "").port)
      const proxy = yield* startConnectProxy({ hosts: { "as.example": port } })
      const proxies = { http: Redacted.make(proxy.url), https: Redacted.make(proxy.url) }
      const connection = yield* (yield* ClientCertificates).connection(config, proxies, exceptLoopback)
      assert.strictEqual(yield* statusOf(connection, "http://as.example/token"), 200)
    }).pipe(Effect.provide(answering(["127.0.0.1"])))
  )
})
