import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, layer } from "@effect/vitest"
import { Certificates, type IssuedCertificate } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as TestClock from "effect/testing/TestClock"
import { once } from "node:events"
import { Agent, request } from "node:https"
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls"
import { serveRaw } from "../RawHttp.ts"
import { startGateway } from "../RunningGateway.ts"
import { converse, path } from "./RawConnection.ts"

/** A gateway with TLS in front of a server, and clients that trust its authority. */
const startWithTls = Effect.fnUntraced(function* ({ asksForCertificate = false } = {}) {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  const authority = yield* Certificates.makeAuthority("CA")
  const issued = yield* authority.issueServer()
  const { certificatePath, privateKeyPath } = yield* issued.writeTo(directory, "server")
  const upstream = yield* serveRaw((incoming, response) => {
    if (incoming.method === "GET") {
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n")
      response.on("close", () => received.push("closed"))
    } else response.end("{}")
  })
  const received: Array<string> = []
  const gateway = yield* startGateway({
    servers: [{ server_name: "raw", config: { url: upstream.url } }],
    gateway: {
      tls: {
        cert_path: certificatePath,
        key_path: privateKeyPath,
        ...(asksForCertificate ? { client_ca_path: yield* authority.writeTo(directory, "clients") } : {})
      }
    }
  })
  const port = Number(new URL(gateway.url).port)
  const trusted: ConnectionOptions = { host: "127.0.0.1", port, ca: authority.certificatePem }
  return {
    authority,
    gateway,
    issued,
    received,
    trusted,
    put: (issue: IssuedCertificate) => issue.writeTo(directory, "server"),
    putCertificate: (pem: string) => files.writeFileString(certificatePath, pem),
    /** The status of a request, or the error of its connection. */
    ask: (options: ConnectionOptions & { readonly agent?: Agent } = {}) =>
      Effect.promise(
        () =>
          new Promise<number | string>((resolve) => {
            request({ ...trusted, path, method: "POST", agent: false, ...options })
              .on("response", (answer) => resolve(answer.resume().statusCode ?? 0))
              .on("error", (error: NodeJS.ErrnoException) => resolve(`${error.code} ${error.message}`))
              .end("{}")
          })
      ),
    /** The certificate that a new connection is shown. */
    shown: Effect.promise(async () => {
      const socket = connect(trusted)
      await once(socket, "secureConnect")
      const pem = socket.getPeerX509Certificate()?.toString().trim()
      socket.destroy()
      return pem
    }),
    /** Lets the interval pass, so that the files are read again, until this is true. */
    pollUntil: (isSo: Effect.Effect<boolean>) =>
      Effect.repeat(Effect.andThen(TestClock.adjust("10 seconds"), isSo), { until: (so) => so })
  }
})

/** Old versions of TLS have only ciphers that OpenSSL does not allow by itself. */
const withVersion = (version: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3"): ConnectionOptions => ({
  minVersion: version,
  maxVersion: version,
  ciphers: "DEFAULT:@SECLEVEL=0"
})

describe("a gateway with a certificate", () => {
  layer(NodeServices.layer)((it) => {
    it.effect("clients that trust its authority are served with TLS 1.2 and 1.3, and no others", () =>
      Effect.gen(function* () {
        const { ask } = yield* startWithTls()
        assert.strictEqual(yield* ask(), 200)
        for (const version of ["TLSv1.2", "TLSv1.3"] as const)
          assert.strictEqual(yield* ask(withVersion(version)), 200)
        for (const version of ["TLSv1", "TLSv1.1"] as const)
          assert.match(String(yield* ask(withVersion(version))), /protocol version|unsupported protocol/)
        const stranger = yield* Certificates.makeAuthority("CA")
        assert.match(String(yield* ask({ ca: stranger.certificatePem })), /CERT|ISSUER|SIGNATURE/)
      })
    )

    it.effect("a client that speaks plain HTTP is told what the port speaks", () =>
      Effect.gen(function* () {
        const { ask, gateway } = yield* startWithTls()
        const answer = yield* converse(gateway.url, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert.match(answer, /^HTTP\/1\.1 400 .*This port speaks HTTPS: the URL begins with https:\/\/\n$/s)
        assert.strictEqual(yield* converse(gateway.url, "", { halfClosed: true }), "")
        assert.strictEqual(yield* ask(), 200)
      })
    )

    it.effect("a client that leaves an event stream ends the server's request", () =>
      Effect.gen(function* () {
        const { received, trusted } = yield* startWithTls()
        yield* Effect.promise(async () => {
          const outgoing = request({ ...trusted, path, agent: false }).end()
          const [stream] = await once(outgoing, "response")
          await once(stream, "data")
          stream.destroy()
        })
        yield* Effect.repeat(
          Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
          { until: () => received.includes("closed") }
        )
      })
    )

    it.effect("a new certificate is used for new connections, and old ones live on", () =>
      Effect.gen(function* () {
        const { ask, authority, gateway, issued, pollUntil, put, shown } = yield* startWithTls()
        const agent = new Agent({ keepAlive: true, maxSockets: 1 })
        yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
        assert.strictEqual(yield* ask({ agent }), 200)
        assert.strictEqual(yield* shown, issued.certificatePem)
        const next = yield* authority.issueServer()
        yield* put(next)
        yield* pollUntil(Effect.map(shown, (pem) => pem === next.certificatePem))
        assert.include(
          gateway.logs.join(),
          "The certificate of the server expires on 2049-01-01T00:00:00.000Z"
        )
        const [kept] = Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? [])
        const { serialNumber } = (kept as TLSSocket).getPeerCertificate()
        assert.strictEqual(yield* ask({ agent }), 200)
        const [still] = Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? [])
        assert.strictEqual((still as TLSSocket).getPeerCertificate().serialNumber, serialNumber)
      })
    )

    it.effect("a certificate that cannot be used changes nothing, and the log says why", () =>
      Effect.gen(function* () {
        const { authority, gateway, issued, pollUntil, putCertificate, shown } = yield* startWithTls()
        const logged = (part: string) => Effect.sync(() => gateway.logs.some((line) => line.includes(part)))
        yield* putCertificate("no certificate")
        yield* pollUntil(logged("`cert_path` holds no PEM certificate"))
        const expired = yield* authority.issueServer({ notAfter: new Date(1) })
        yield* putCertificate(expired.certificatePem)
        yield* pollUntil(logged("`key_path` holds another key"))
        assert.strictEqual(yield* shown, issued.certificatePem)
      })
    )

    it.effect("with authorities of clients, only clients with a certificate of theirs are served", () =>
      Effect.gen(function* () {
        const { ask, authority } = yield* startWithTls({ asksForCertificate: true })
        const shows = ({ certificatePem, privateKeyPem }: IssuedCertificate) => ({
          cert: certificatePem,
          key: privateKeyPem
        })
        assert.strictEqual(yield* ask(shows(yield* authority.issueClient("alice"))), 200)
        assert.match(String(yield* ask()), /CERTIFICATE_REQUIRED|ECONNRESET|EPIPE/)
        const stranger = yield* Certificates.makeAuthority("CA")
        assert.isString(yield* ask(shows(yield* stranger.issueClient("alice"))))
        assert.isString(yield* ask(shows(yield* authority.issueClient("alice", Certificates.expired))))
      })
    )
  })
})
