import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer, type IncomingMessage, request as httpRequest, type RequestListener } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { makeOwnerForward } from "../../src/workers/OwnerForward.ts"

const serve = (listener: RequestListener, path?: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = createServer(listener)
      if (path === undefined) server.listen(0, "127.0.0.1")
      else server.listen(path)
      await once(server, "listening")
      return server
    }),
    (server) =>
      Effect.promise(async () => {
        server.close()
        server.closeAllConnections()
      })
  )

/** A worker that gives everything to an owner that does what the test says. Gives the port of the worker. */
const stage = Effect.fnUntraced(function* (owner: RequestListener) {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "owner-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true }))
  )
  const socketPath = join(directory, "owner.sock")
  yield* serve(owner, socketPath)
  const forward = makeOwnerForward(socketPath)
  const worker = yield* serve((request, response) => forward(request, response))
  const address = worker.address()
  return typeof address === "object" && address !== null ? address.port : 0
})

const send = (port: number, headers: ReadonlyArray<string>, body?: string | Buffer, method = "POST") =>
  Effect.promise(
    () =>
      new Promise<IncomingMessage>((resolve, reject) => {
        httpRequest({ port, method, path: "/servers/one/mcp?a=b", headers: [...headers], agent: false })
          .on("response", resolve)
          .on("error", reject)
          .end(body)
      })
  )

describe("what a worker gives to the owner", () => {
  it.effect("a request arrives as it came, and its answer goes back as it is", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const port = yield* stage(async (request, response) => {
        const { authorization, connection, origin } = request.headers
        seen.push([request.method, request.url, authorization, origin, connection, await text(request)])
        response.writeHead(429, { "retry-after": "5", "mcp-session-id": "one" }).end("later")
      })
      const answer = yield* send(
        port,
        [
          "host",
          "gateway.example",
          "authorization",
          "Bearer key",
          "origin",
          "http://localhost",
          "content-length",
          "4"
        ],
        "body"
      )
      assert.deepStrictEqual(seen, [
        ["POST", "/servers/one/mcp?a=b", "Bearer key", "http://localhost", "keep-alive", "body"]
      ])
      assert.strictEqual(answer.statusCode, 429)
      assert.strictEqual(answer.headers["retry-after"], "5")
      assert.strictEqual(answer.headers["mcp-session-id"], "one")
      assert.strictEqual(yield* Effect.promise(() => text(answer)), "later")
    })
  )

  it.effect("the owner sees each Host, and a transfer coding that it does not know", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const port = yield* stage((request, response) => {
        seen.push([
          request.rawHeaders.filter((name) => name.toLowerCase() === "host").length,
          request.headers["transfer-encoding"]
        ])
        response.writeHead(501, { connection: "close" }).end()
      })
      const answer = yield* send(
        port,
        ["host", "one.example", "host", "two.example", "transfer-encoding", "gzip, chunked"],
        "body"
      )
      assert.deepStrictEqual(seen, [[2, "gzip, chunked"]])
      assert.strictEqual(answer.headers.connection, "close")
    })
  )

  it.effect("an answer before the end of a long request reaches the client", () =>
    Effect.gen(function* () {
      const port = yield* stage((_, response) => void response.writeHead(401).end("no"))
      const long = Buffer.alloc(8 * 1024 * 1024)
      const answer = yield* send(port, ["host", "localhost", "content-length", String(long.length)], long)
      assert.strictEqual(answer.statusCode, 401)
      assert.strictEqual(yield* Effect.promise(() => text(answer)), "no")
    })
  )

  it.effect("a stream begins before its first event, and ends at the owner when its client goes", () =>
    Effect.gen(function* () {
      const { promise: ended, resolve } = Promise.withResolvers<void>()
      const port = yield* stage((_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders()
        response.once("close", resolve)
      })
      const answer = yield* send(port, ["host", "localhost"], undefined, "GET")
      assert.strictEqual(answer.statusCode, 200)
      answer.destroy()
      yield* Effect.promise(() => ended)
    })
  )

  it.effect("a client gets 502 from a worker whose owner is gone", () =>
    Effect.gen(function* () {
      const forward = makeOwnerForward(join(tmpdir(), "no-owner-here.sock"))
      const worker = yield* serve((request, response) => forward(request, response))
      const address = worker.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      assert.strictEqual((yield* send(port, ["host", "localhost"], undefined, "GET")).statusCode, 502)
    })
  )
})
