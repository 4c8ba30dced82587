// mTLS alone: a request with a client certificate to a server that demands one.
import assert from "node:assert/strict"
import { once } from "node:events"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import type { TLSSocket } from "node:tls"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { ClientCertificates } from "@secure-mcp/mtls"
import { decodeOAuthConfig } from "@secure-mcp/oauth-core"
import { Certificates } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"

const program = Effect.gen(function* () {
  const authority = yield* Certificates.makeAuthority("an authority")
  const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer()
  const server = createServer(
    { cert, key, ca: authority.certificatePem, requestCert: true, rejectUnauthorized: true },
    ({ socket }, response) => response.end((socket as TLSSocket).getPeerCertificate().subject["CN"])
  ).listen(0, "127.0.0.1")
  yield* Effect.promise(() => once(server, "listening"))
  const { port } = server.address() as AddressInfo
  const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
  const { certificatePath, privateKeyPath } = yield* (yield* authority.issueClient("a stranger")).writeTo(
    directory,
    "client"
  )
  const config = yield* Effect.fromResult(
    decodeOAuthConfig({
      token_url: `https://localhost:${port}/token`,
      client_id: "me",
      use_mtls: true,
      client_cert_path: certificatePath,
      client_key_path: privateKeyPath,
      ca_bundle_path: yield* authority.writeTo(directory, "ca")
    })
  )
  const { dispatcher } = yield* (yield* ClientCertificates).connection(config)
  const { body } = yield* Effect.promise(() =>
    dispatcher.request({ origin: `https://localhost:${port}`, path: "/", method: "GET" })
  )
  const text = yield* Effect.promise(() => body.text())
  server.close()
  return text
})
const Live = ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer))
assert.equal(await Effect.runPromise(Effect.scoped(Effect.provide(program, Live))), "a stranger")
