// Connections of mTLS alone: here without a certificate, to any server.
import assert from "node:assert/strict"
import { createServer } from "node:http"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { ClientCertificates } from "@secure-mcp/mtls"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const server = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1")
await once(server, "listening")
const { port } = server.address() as AddressInfo
const program = Effect.gen(function* () {
  const { dispatcher } = yield* (yield* ClientCertificates).connection(undefined)
  const { body } = yield* Effect.promise(() =>
    dispatcher.request({ origin: `http://127.0.0.1:${port}`, path: "/", method: "GET" })
  )
  return yield* Effect.promise(() => body.text())
})
const Live = ClientCertificates.layer.pipe(Layer.provide(NodeFileSystem.layer))
assert.equal(await Effect.runPromise(Effect.provide(program, Live)), "hello")
server.close()
