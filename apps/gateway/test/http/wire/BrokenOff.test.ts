import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import { type IncomingMessage, request, type RequestListener, type RequestOptions } from "node:http"
import type { Socket } from "node:net"
import { failureIn, ping, send, serveRaw } from "../RawHttp.ts"
import { startGateway } from "../RunningGateway.ts"

const startBefore = Effect.fnUntraced(function* (listener: RequestListener) {
  const upstream = yield* serveRaw(listener)
  const gateway = yield* startGateway({ servers: [{ server_name: "raw", config: { url: upstream.url } }] })
  return gateway.mcp("raw")
})

/** The error with which an answer ends; undefined if it seems complete. */
const endOf = (url: string, options: RequestOptions = {}) =>
  Effect.promise(
    () =>
      new Promise<string | undefined>((resolve) => {
        const onError = (error: NodeJS.ErrnoException) => resolve(error.code)
        request(url, { agent: false, ...options })
          .on("error", onError)
          .on("response", (answer) => {
            answer
              .on("error", onError)
              .on("end", () => resolve(undefined))
              .resume()
          })
          .end()
      })
  )

const head = (...headers: ReadonlyArray<string>) => ["HTTP/1.1 200 OK", ...headers, "", ""].join("\r\n")

describe("an answer that breaks off at the server", () => {
  const incomplete: ReadonlyArray<readonly [string, (socket: Socket) => void]> = [
    ["before its length is reached", (socket) => socket.end(head("Content-Length: 9") + "half")],
    ["in the middle of a chunk", (socket) => socket.end(head("Transfer-Encoding: chunked") + "9\r\nhalf")],
    ["before the last chunk", (socket) => socket.end(head("Transfer-Encoding: chunked") + "4\r\nhalf\r\n")],
    [
      "at a chunk that is none",
      (socket) => socket.end(head("Transfer-Encoding: chunked") + "4\r\nhalf\r\nz")
    ],
    [
      "in an event stream, by a reset",
      (socket) =>
        socket.write(
          head("Content-Type: text/event-stream", "Transfer-Encoding: chunked") + "4\r\nhalf\r\n",
          () => socket.resetAndDestroy()
        )
    ]
  ]
  for (const [where, answer] of incomplete) {
    it.effect(`${where}: it breaks off at the client, too, and does not seem complete`, () =>
      Effect.gen(function* () {
        const url = yield* startBefore(({ socket }) => answer(socket))
        assert.strictEqual(yield* endOf(url), "ECONNRESET")
      })
    )
  }
})

describe("a server that dies before it answers", () => {
  const deaths: ReadonlyArray<readonly [string, (socket: Socket) => void]> = [
    ["it hangs up", (socket) => socket.destroy()],
    ["it resets the connection", (socket) => socket.resetAndDestroy()],
    ["it answers by halves", (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Ty")],
    ["it sends a head and no body", (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")]
  ]
  for (const [how, die] of deaths) {
    it.effect(`${how}: the error says that the request may have been carried out`, () =>
      Effect.gen(function* () {
        const url = yield* startBefore(({ socket }) => die(socket))
        const answer = yield* send(url, ping)
        assert.strictEqual(answer.status, 502)
        assert.include(failureIn(answer).error.message, "The request may have been carried out")
      })
    )
  }

  it.effect("a server that cannot be reached has carried out nothing, and the error says so", () =>
    Effect.gen(function* () {
      const gateway = yield* startGateway({
        servers: [
          { server_name: "refused", config: { url: "http://127.0.0.1:9/mcp" } },
          { server_name: "unknown", config: { url: "http://nowhere.invalid/mcp" } }
        ]
      })
      for (const name of ["refused", "unknown"]) {
        const answer = yield* send(gateway.mcp(name), ping)
        assert.strictEqual(answer.status, 502)
        assert.include(failureIn(answer).error.message, "The request was not carried out")
      }
    })
  )
})

describe("a client that leaves", () => {
  for (const method of ["POST", "GET", "DELETE"]) {
    it.effect(`${method}: the server's request ends at once, before its answer and in the middle of it`, () =>
      Effect.gen(function* () {
        for (const begins of [false, true]) {
          const arrived = Deferred.makeUnsafe<IncomingMessage>()
          const url = yield* startBefore((incoming, response) => {
            if (begins) response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n")
            Deferred.doneUnsafe(arrived, Effect.succeed(incoming))
          })
          const outgoing = request(url, { method, agent: false }).on("error", () => undefined)
          const answered = begins ? once(outgoing, "response") : Promise.resolve()
          outgoing.end(method === "POST" ? "{}" : undefined)
          const { socket } = yield* Deferred.await(arrived)
          yield* Effect.promise(async () => {
            await answered
            const closed = once(socket, "close")
            outgoing.destroy()
            await closed
          })
        }
      })
    )
  }

  it.effect("a client that leaves in the middle of a long body ends the server's request", () =>
    Effect.gen(function* () {
      const arrived = Deferred.makeUnsafe<IncomingMessage>()
      const url = yield* startBefore((incoming) =>
        Deferred.doneUnsafe(arrived, Effect.succeed(incoming.on("error", () => undefined).resume()))
      )
      const headers = { "content-length": 9 * 1024 * 1024 }
      const outgoing = request(url, { method: "POST", agent: false, headers }).on("error", () => undefined)
      outgoing.write(Buffer.alloc(5 * 1024 * 1024))
      const incoming = yield* Deferred.await(arrived)
      assert.strictEqual(incoming.headers["content-length"], String(9 * 1024 * 1024))
      yield* Effect.promise(async () => {
        const closed = new Promise<void>((resolve) => incoming.socket.on("close", () => resolve()))
        outgoing.destroy()
        await closed
      })
      assert.isFalse(incoming.complete)
    })
  )
})
