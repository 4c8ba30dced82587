import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { ClientCertificates, type ClientConnection } from "@secure-mcp/mtls"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as net from "node:net"
import { configOf, configWith, makeMutualTls, statusOf } from "./MutualTls.ts"

const TestLayer = ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer))

const countConnections = ({ dispatcher }: ClientConnection) => {
  const counter = { connections: 0 }
  dispatcher.on("connect", () => (counter.connections += 1))
  return counter
}

/** Throws when the effect has to wait for anything. */
const answerAtOnce = <A, E>(effect: Effect.Effect<A, E>) => Effect.runSync(effect)

describe("ClientCertificates", () => {
  it.effect("sends later requests over the connections of earlier ones", () =>
    Effect.gen(function* () {
      const { alice, caBundlePath, server, tokenUrl } = yield* makeMutualTls
      const certificates = yield* ClientCertificates
      const counter = countConnections(yield* certificates.connection(configOf(alice, caBundlePath)))
      for (let sent = 0; sent < 20; sent++) {
        const connection = yield* certificates.connection(configOf(alice, caBundlePath))
        assert.strictEqual(yield* statusOf(connection, tokenUrl), 200)
      }
      assert.lengthOf(yield* server.requests, 20)
      // Two, because undici may see the second request before it has seen the end of the first answer.
      assert.isAtMost(counter.connections, 2)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("shares connections by the content of the files, not by their paths", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const { alice, bob, caBundlePath, directory } = yield* makeMutualTls
      const copy = { certificatePath: `${directory}/copy.pem`, privateKeyPath: `${directory}/copy.key` }
      yield* files.copyFile(alice.certificatePath, copy.certificatePath)
      yield* files.copyFile(alice.privateKeyPath, copy.privateKeyPath)
      const otherAuthority = `${directory}/other-ca.pem`
      yield* files.writeFileString(otherAuthority, alice.certificatePem)

      const { connection } = yield* ClientCertificates
      const first = yield* connection(configOf(alice, caBundlePath))
      assert.strictEqual(yield* connection(configOf(copy, caBundlePath)), first)
      const others = yield* Effect.all([
        connection(configOf(alice, otherAuthority)),
        connection(configOf(bob, caBundlePath)),
        connection(configWith({ ca_bundle_path: caBundlePath })),
        connection(configWith({}))
      ])
      assert.strictEqual(new Set([first, ...others].map(({ dispatcher }) => dispatcher)).size, 5)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("has one pool of plain connections for all configurations without certificates", () =>
    Effect.gen(function* () {
      const { connection } = yield* ClientCertificates
      const plain = yield* connection(undefined)
      assert.strictEqual(yield* connection(configWith({})), plain)
      assert.strictEqual(yield* connection(configWith({ client_id: "other" })), plain)
      assert.strictEqual(plain.certificateThumbprint, undefined)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("loads once for 100 callers at once, and answers without waiting from then on", () =>
    Effect.gen(function* () {
      const { alice, caBundlePath } = yield* makeMutualTls
      const reads: Array<string> = []
      const certificates = yield* Layer.build(ClientCertificates.layer).pipe(
        Effect.updateService(FileSystem.FileSystem, (files) => ({
          ...files,
          readFile: (path) => {
            reads.push(path)
            return files.readFile(path)
          }
        })),
        Effect.map(Context.get(ClientCertificates))
      )
      const configs = Array.from({ length: 100 }, () => configOf(alice, caBundlePath))
      const connections = yield* Effect.forEach(configs, (config) => certificates.connection(config), {
        concurrency: "unbounded"
      })
      assert.strictEqual(new Set(connections).size, 1)
      assert.sameMembers(reads, [alice.certificatePath, alice.privateKeyPath, caBundlePath])
      for (const config of configs) {
        assert.strictEqual(answerAtOnce(certificates.connection(config)), connections[0])
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("reads the files again after a failure", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const { alice, caBundlePath } = yield* makeMutualTls
      const { connection } = yield* ClientCertificates
      const config = configOf(alice, caBundlePath)
      yield* files.rename(alice.privateKeyPath, `${alice.privateKeyPath}.away`)
      yield* Effect.flip(connection(config))
      yield* files.rename(`${alice.privateKeyPath}.away`, alice.privateKeyPath)
      assert.strictEqual((yield* connection(config)).certificateThumbprint, alice.thumbprintSha256)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("closes every pool with its scope", () =>
    Effect.gen(function* () {
      const { alice, caBundlePath, tokenUrl } = yield* makeMutualTls
      const scope = yield* Scope.make()
      const { connection } = Context.get(
        yield* Layer.buildWithScope(ClientCertificates.layer, scope),
        ClientCertificates
      )
      const connections = yield* Effect.all([
        connection(undefined),
        connection(configOf(alice, caBundlePath)),
        connection(configWith({ ca_bundle_path: caBundlePath }))
      ])
      yield* Scope.close(scope, Exit.void)
      for (const closed of connections) {
        const failure = yield* Effect.exit(statusOf(closed, tokenUrl))
        assert.include(String(failure), "ClientDestroyedError")
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("gives up on a server that does not complete the TLS handshake", () =>
    Effect.gen(function* () {
      const { alice, caBundlePath } = yield* makeMutualTls
      const { connection } = yield* ClientCertificates
      const silent = yield* listenSilently
      const failure = yield* Effect.exit(
        statusOf(yield* connection(configOf(alice, caBundlePath)), `https://127.0.0.1:${silent}/`)
      )
      assert.include(String(failure), "ConnectTimeoutError")
    }).pipe(
      Effect.provide(
        ClientCertificates.layerOptions({ connectTimeout: "50 millis" }).pipe(
          Layer.provideMerge(NodeServices.layer)
        )
      )
    )
  )
})

/** The port of a server that accepts connections and never says a word. */
const listenSilently = Effect.acquireRelease(
  Effect.callback<net.Server>((resume) => {
    const server = net.createServer()
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => server.close())
).pipe(
  Effect.map((server) => {
    const address = server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  })
)
