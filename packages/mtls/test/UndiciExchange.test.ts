import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { ClientCertificates, MtlsOAuthHttp } from "@secure-mcp/mtls"
import { OAuthHttp } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { createServer, type ServerResponse } from "node:http"
import { once } from "node:events"
import { configWith } from "./MutualTls.ts"

const TestLayer = MtlsOAuthHttp.layer.pipe(
  Layer.provide(ClientCertificates.layer),
  Layer.provide(NodeFileSystem.layer)
)

/** A server of plain http, which answers as it is told and tells when the connection of a request has closed. */
const makeServer = Effect.fnUntraced(function* (answer: (response: ServerResponse, body: string) => void) {
  const closed = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  const server = createServer((request, response) => {
    request.socket.once("close", () => closed.resolve())
    let body = ""
    request.setEncoding("utf8").on("data", (piece: string) => (body += piece))
    request.once("end", () => {
      answer(response, body)
      reached.resolve()
    })
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => once(server.listen(0, "127.0.0.1"), "listening")),
    () => Effect.sync(() => server.close().closeAllConnections())
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { url: `http://127.0.0.1:${port}/token?a=b`, closed: closed.promise, reached: reached.promise }
})

const exchange = Effect.fnUntraced(function* (
  request: HttpClientRequest.HttpClientRequest,
  maxBytes = 100,
  isRead: (status: number) => boolean = () => true
) {
  const connection = yield* (yield* OAuthHttp).connection(configWith({}))
  assert(connection.exchange !== undefined)
  return yield* connection.exchange(request, { maxBytes, isRead })
})

/** Why an exchange failed before there was an answer. */
const failureOf = Effect.fnUntraced(function* (url: string) {
  const error = yield* Effect.flip(exchange(HttpClientRequest.get(url)))
  assert(Predicate.isTagged(error, "HttpClientError"))
  return error.reason
})

const textOf = (body: Result.Result<Uint8Array | undefined, unknown>) =>
  Result.map(body, (bytes) => bytes && Buffer.from(bytes).toString())

describe("an exchange over undici", () => {
  it.effect("a form is sent with its headers, and the answer is read", () =>
    Effect.gen(function* () {
      const server = yield* makeServer((response, body) => {
        response.writeEarlyHints({ link: "</a>" })
        response.setHeader(
          "x-sent",
          `${response.req.method} ${response.req.url} ${response.req.headers["x-a"]}`
        )
        response.writeHead(201).write(body)
        response.end("!")
      })
      const form = HttpClientRequest.post(server.url).pipe(
        HttpClientRequest.setHeader("x-a", "1"),
        HttpClientRequest.bodyUrlParams({ grant_type: "client_credentials" })
      )
      const { body, headers, status } = yield* exchange(form)
      assert.strictEqual(status, 201)
      assert.strictEqual(headers["x-sent"], "POST /token?a=b 1")
      assert.deepStrictEqual(textOf(body), Result.succeed("grant_type=client_credentials!"))
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("a redirect is the answer, and nothing is kept of its cookies", () =>
    Effect.gen(function* () {
      const server = yield* makeServer((response) =>
        response
          .writeHead(response.req.headers.cookie === undefined ? 302 : 500, {
            location: "/",
            "set-cookie": "a=b"
          })
          .end()
      )
      for (let count = 0; count < 2; count += 1)
        assert.strictEqual((yield* exchange(HttpClientRequest.get(server.url))).status, 302)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("a body that is too long is not read on, and its connection is closed", () =>
    Effect.gen(function* () {
      const server = yield* makeServer((response) => {
        const write = () => response.destroyed || (response.write("x".repeat(64)), setImmediate(write))
        write()
      })
      const { body, status } = yield* exchange(HttpClientRequest.get(server.url))
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(body, Result.succeed(undefined))
      yield* Effect.promise(() => server.closed)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("a body that is not to be read is not waited for, and its connection is closed", () =>
    Effect.gen(function* () {
      const server = yield* makeServer((response) =>
        response.writeHead(503, { "retry-after": "7" }).write("x")
      )
      const { body, headers } = yield* exchange(
        HttpClientRequest.get(server.url),
        100,
        (status) => status < 500
      )
      assert.strictEqual(headers["retry-after"], "7")
      assert.deepStrictEqual(body, Result.succeed(undefined))
      yield* Effect.promise(() => server.closed)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("an interruption closes the connection", () =>
    Effect.gen(function* () {
      const server = yield* makeServer((response) => response.writeHead(200).write("x"))
      const fiber = yield* Effect.forkChild(exchange(HttpClientRequest.get(server.url)))
      yield* Effect.promise(() => server.reached)
      yield* Fiber.interrupt(fiber)
      yield* Effect.promise(() => server.closed)
      assert.isTrue((yield* Fiber.await(fiber))._tag === "Failure")
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("a body that breaks off is a failure of the body, beside the status", () =>
    Effect.gen(function* () {
      const server = yield* makeServer((response) => {
        response.writeHead(400, { "content-length": "10" }).write("x", () => response.destroy())
      })
      const { body, status } = yield* exchange(HttpClientRequest.get(server.url))
      assert.strictEqual(status, 400)
      assert.isTrue(Result.isFailure(body))
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("a connection that cannot be made fails with the code of the system", () =>
    Effect.gen(function* () {
      const { cause } = yield* failureOf("http://127.0.0.1:1/")
      const code: unknown = Predicate.hasProperty(cause, "code") ? cause.code : undefined
      assert.strictEqual(code, "ECONNREFUSED")
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("a URL that is none fails as such", () =>
    Effect.gen(function* () {
      const { _tag } = yield* failureOf("no url")
      assert.strictEqual(_tag, "InvalidUrlError")
    }).pipe(Effect.provide(TestLayer))
  )
})
