import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { ClientCertificates } from "@secure-mcp/mtls"
import { freeWhenWritten } from "@secure-mcp/oauth-core/internal"
import { Certificates } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { createServer as createHttpServer, type RequestListener } from "node:http"
import { createServer as createHttpsServer } from "node:https"
import { Readable } from "node:stream"
import { configWith } from "./MutualTls.ts"

const TestLayer = ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer))

const pieceBytes = 64 * 1024

/** More than the buffers of two sockets hold. */
const pieceCount = 256

/** A server that begins to read a body when it is told, and answers with its digest. */
const makeServer = Effect.fnUntraced(function* (scheme: "http" | "https") {
  const files = yield* FileSystem.FileSystem
  const mayRead = Promise.withResolvers<void>()
  const listener: RequestListener = async (request, response) => {
    await mayRead.promise
    const digest = createHash("sha256")
    for await (const piece of request) digest.update(piece)
    response.end(digest.digest("hex"))
  }
  const authority = yield* Certificates.makeAuthority("Test CA")
  const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer()
  const server = scheme === "http" ? createHttpServer(listener) : createHttpsServer({ cert, key }, listener)
  yield* Effect.acquireRelease(
    Effect.promise(() => once(server.listen(0, "127.0.0.1"), "listening")),
    () => Effect.sync(() => server.close().closeAllConnections())
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  const caBundlePath = yield* authority.writeTo(yield* files.makeTempDirectoryScoped(), "ca")
  return {
    origin: `${scheme}://127.0.0.1:${port}`,
    config: configWith({ ca_bundle_path: caBundlePath }),
    read: mayRead.resolve
  }
})

describe("bodies that are sent", () => {
  it.effect.each(["http", "https"] as const)(
    "memory of a body is freed when it was written, over %s",
    (scheme) =>
      Effect.gen(function* () {
        const { config, origin, read } = yield* makeServer(scheme)
        const pieces = Array.from({ length: pieceCount }, (_, number) =>
          freeWhenWritten(Buffer.allocUnsafeSlow(pieceBytes).fill(number))
        )
        const sent = createHash("sha256")
        for (const piece of pieces) sent.update(piece)
        const { dispatcher } = yield* (yield* ClientCertificates).connection(config)
        const stalled = Promise.withResolvers<void>()
        let taken = 0
        const body = new Readable({
          read() {
            this.push(pieces[taken] ?? null)
            taken += 1
            if (taken === pieces.length + 1) stalled.resolve()
          }
        })
        // Nothing more is asked for while the server does not read.
        body.on("pause", () => setImmediate(() => stalled.resolve()))
        const answered = dispatcher.request({ origin, path: "/", method: "POST", body })
        yield* Effect.promise(() => stalled.promise)
        assert.isAbove(pieces.filter(({ length }) => length === pieceBytes).length, 0)
        read()
        const digest = yield* Effect.promise(async () => (await answered).body.text())
        assert.strictEqual(digest, sent.digest("hex"))
        assert.deepStrictEqual(
          pieces.filter(({ length }) => length > 0),
          []
        )
      }).pipe(Effect.provide(TestLayer))
  )
})
