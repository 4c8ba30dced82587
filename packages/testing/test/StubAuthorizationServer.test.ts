import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { once } from "node:events"
import * as https from "node:https"
import * as net from "node:net"
import { Answer, Certificates, StubAuthorizationServer } from "../src/index.ts"

const status = (url: string, init?: RequestInit) =>
  Effect.promise(async () => {
    const response = await fetch(url, init)
    await response.text()
    return response.status
  })

describe("StubAuthorizationServer", () => {
  it.effect("answers what is enqueued first, then what is always answered, else 404", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.token())
      yield* server.enqueue("/token", Answer.status(503), Answer.status(429))
      yield* server.enqueue("/token", Answer.status(500))
      const statuses = yield* Effect.forEach(Array.from({ length: 5 }), () =>
        status(server.endpoint("/token?x=1"))
      )
      assert.deepStrictEqual(statuses, [503, 429, 500, 200, 200])
      assert.strictEqual(yield* status(server.endpoint("/other")), 404)
    })
  )

  it.effect("records what came in", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* status(server.endpoint("/revoke?x=1"), {
        method: "POST",
        body: "grant_type=client_credentials&scope=a+b",
        headers: { "X-Correlation-ID": "c-1" }
      })
      yield* status(server.endpoint("/token"))
      assert.lengthOf(yield* server.requests, 2)
      const [request] = yield* server.requestsTo("/revoke")
      assert.isDefined(request)
      const { body, form, headers, method, path, peerFingerprint256, rawHeaders, rawUrl } = request
      assert.deepStrictEqual(
        { body, method, path, peerFingerprint256, rawUrl, scope: form.get("scope") },
        {
          body: "grant_type=client_credentials&scope=a+b",
          method: "POST",
          path: "/revoke",
          peerFingerprint256: undefined,
          rawUrl: "/revoke?x=1",
          scope: "a b"
        }
      )
      assert.strictEqual(headers["x-correlation-id"], "c-1")
      assert.include(
        rawHeaders.map(([name, value]) => `${name.toLowerCase()}: ${value}`),
        "x-correlation-id: c-1"
      )
    })
  )

  it.effect("received waits for as many requests to the path as its argument says", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      const waiting = yield* Effect.forkChild(server.received(2, "/token"), { startImmediately: true })
      yield* status(server.endpoint("/token"))
      yield* status(server.endpoint("/other"))
      yield* server.received(2)
      assert.isUndefined(waiting.pollUnsafe())
      yield* status(server.endpoint("/token"))
      assert.lengthOf(yield* Fiber.join(waiting), 2)
    })
  )

  it.effect("does not take an answered or a reset request for an aborted one", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.enqueue("/token", Answer.reset, Answer.resetMidBody, Answer.token(), Answer.hang)
      const waiting = yield* Effect.forkChild(server.aborted(1), { startImmediately: true })
      for (let i = 0; i < 3; i++) {
        yield* Effect.promise(() => rawRequest(portOf(server.url)))
      }
      assert.isUndefined(waiting.pollUnsafe())
      const socket = net.connect(portOf(server.url), "127.0.0.1")
      socket.write(requestText)
      yield* server.received(4)
      socket.destroy()
      yield* Fiber.join(waiting)
    })
  )

  it.effect("takes an upload that the peer breaks off for aborted, not received", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      const socket = net.connect(portOf(server.url), "127.0.0.1")
      socket.end("POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
      yield* server.aborted(1)
      assert.lengthOf(yield* server.requests, 0)
    })
  )

  it.effect("closing the scope ends hanging, held and idle connections and refuses new ones", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = yield* StubAuthorizationServer.make().pipe(Scope.provide(scope))
      yield* server.enqueue("/token", Answer.hang, Answer.held(yield* Deferred.make<void>(), Answer.token()))
      const port = portOf(server.url)
      const inFlight = [rawRequest(port), rawRequest(port)]
      yield* server.received(2)
      const idle = net.connect(port, "127.0.0.1")
      yield* Effect.promise(() => once(idle, "connect"))

      yield* Scope.close(scope, Exit.void)

      assert.deepStrictEqual(yield* Effect.promise(() => Promise.all(inFlight)), ["", ""])
      yield* Effect.promise(() => closed(idle))
      const refused = net.connect(port, "127.0.0.1")
      const [error] = (yield* Effect.promise(() => once(refused, "error"))) as [NodeJS.ErrnoException]
      assert.strictEqual(error.code, "ECONNREFUSED")
    })
  )
})

describe("StubAuthorizationServer with TLS", () => {
  const withCertificates = Effect.fnUntraced(function* () {
    const authority = yield* Certificates.makeAuthority("CA")
    const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer()
    const client = yield* authority.issueClient("client")
    return { authority, client, tls: { cert, key, ca: authority.certificatePem } }
  })

  it.effect("demands a client certificate and records it", () =>
    Effect.gen(function* () {
      const { client, tls } = yield* withCertificates()
      const server = yield* StubAuthorizationServer.make({ tls: { ...tls, requireClientCertificate: true } })
      assert.match(server.url, /^https:/)
      yield* server.always("/token", Answer.token())
      const url = server.endpoint("/token")

      const refusal = yield* Effect.flip(tlsStatus(url, { ca: tls.ca }))
      assert.match(String(refusal.code), /^(ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED|ECONNRESET|EPIPE)$/)
      assert.lengthOf(yield* server.requests, 0)

      assert.strictEqual(
        yield* tlsStatus(url, { ca: tls.ca, cert: client.certificatePem, key: client.privateKeyPem }),
        200
      )
      const [request] = yield* server.received(1)
      const thumbprint = Buffer.from(request?.peerFingerprint256?.replaceAll(":", "") ?? "", "hex")
      assert.strictEqual(thumbprint.toString("base64url"), client.thumbprintSha256)
    })
  )

  it.effect("refuses a client certificate of another authority", () =>
    Effect.gen(function* () {
      const { tls } = yield* withCertificates()
      const stranger = yield* (yield* Certificates.makeAuthority("CA")).issueClient("client")
      const server = yield* StubAuthorizationServer.make({ tls: { ...tls, requireClientCertificate: true } })
      yield* Effect.flip(
        tlsStatus(server.url, { ca: tls.ca, cert: stranger.certificatePem, key: stranger.privateKeyPem })
      )
      assert.lengthOf(yield* server.requests, 0)
    })
  )

  it.effect("serves clients without a certificate when it only asks for one", () =>
    Effect.gen(function* () {
      const { tls } = yield* withCertificates()
      const server = yield* StubAuthorizationServer.make({ tls })
      assert.strictEqual(yield* tlsStatus(server.url, { ca: tls.ca }), 404)
      assert.isUndefined((yield* server.requests)[0]?.peerFingerprint256)
    })
  )

  it.effect("resets the connection below TLS", () =>
    Effect.gen(function* () {
      const { tls } = yield* withCertificates()
      const server = yield* StubAuthorizationServer.make({ tls })
      yield* server.always("/token", Answer.reset)
      const error = yield* Effect.flip(tlsStatus(server.endpoint("/token"), { ca: tls.ca }))
      assert.strictEqual(error.message, "read ECONNRESET")
      assert.lengthOf(yield* server.requests, 1)
    })
  )
})

const tlsStatus = (url: string, options: https.RequestOptions) =>
  Effect.callback<number, NodeJS.ErrnoException>((resume) => {
    https
      .request(url, { ...options, agent: false }, (response) => {
        response.resume()
        resume(Effect.succeed(response.statusCode ?? 0))
      })
      .on("error", (error) => resume(Effect.fail(error)))
      .end()
  })

const requestText = "GET /token HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

/** Everything the server sends on one connection, however it ends. */
const rawRequest = async (port: number) => {
  const socket = net.connect(port, "127.0.0.1")
  let received = ""
  socket.setEncoding("utf8").on("data", (chunk: string) => (received += chunk))
  socket.write(requestText)
  await closed(socket)
  return received
}

const closed = (socket: net.Socket) =>
  new Promise<void>((resolve) => {
    socket.resume()
    socket.on("error", () => {})
    if (socket.closed) resolve()
    else socket.once("close", () => resolve())
  })

const portOf = (url: string) => Number(new URL(url).port)
