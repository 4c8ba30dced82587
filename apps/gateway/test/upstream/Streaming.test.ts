import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { once } from "node:events"
import { request as httpRequest, type ServerResponse } from "node:http"
import { Answer } from "@secure-mcp/testing"
import { open, ping, send, serveRaw } from "../http/RawHttp.ts"
import { startGateway, startTokenEndpoint } from "../http/RunningGateway.ts"

/** A gateway in front of an upstream whose answers the test itself writes. */
const startHeld = Effect.gen(function* () {
  const arrived = Deferred.makeUnsafe<ServerResponse>()
  const upstream = yield* serveRaw((request, response) => {
    if (request.method === "DELETE") response.end("fine")
    else Deferred.doneUnsafe(arrived, Effect.succeed(response))
  })
  const gateway = yield* startGateway({ servers: [{ server_name: "raw", config: { url: upstream.url } }] })
  return { upstream: Deferred.await(arrived), url: gateway.mcp("raw") }
})

const nextChunk = (stream: NodeJS.EventEmitter) =>
  Effect.map(
    Effect.promise(() => once(stream, "data")),
    ([chunk]) => String(chunk)
  )

const closed = (stream: NodeJS.EventEmitter) => Effect.promise(() => once(stream, "close"))

describe("an exchange through the gateway", () => {
  it.effect("the client gets each part of an answer when it comes", () =>
    Effect.gen(function* () {
      const { upstream, url } = yield* startHeld
      const opening = yield* Effect.forkChild(Effect.promise(() => open(url)))
      const response = yield* upstream
      response.writeHead(200, { "content-type": "application/octet-stream" }).write("first")
      const answer = yield* Fiber.join(opening)
      assert.strictEqual(yield* nextChunk(answer), "first")
      response.write("second")
      assert.strictEqual(yield* nextChunk(answer), "second")
      response.end("last")
      assert.strictEqual(yield* nextChunk(answer), "last")
    })
  )

  it.effect("an event stream opens before there is an event", () =>
    Effect.gen(function* () {
      const { upstream, url } = yield* startHeld
      const opening = yield* Effect.forkChild(Effect.promise(() => open(url)))
      const response = yield* upstream
      response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" }).flushHeaders()
      const answer = yield* Fiber.join(opening)
      assert.strictEqual(answer.headers["content-type"], "text/event-stream; charset=utf-8")
      answer.destroy()
      yield* closed(response)
    })
  )

  it.effect("a request too large to buffer is streamed while it is still being sent", () =>
    Effect.gen(function* () {
      const { upstream, url } = yield* startHeld
      const outgoing = httpRequest(url, { method: "POST", agent: false })
      const answered = once(outgoing, "response")
      outgoing.write(Buffer.alloc(5 * 1024 * 1024, "a"))
      const response = yield* upstream
      let received = 0
      response.req.on("data", (chunk: Buffer) => (received += chunk.length))
      outgoing.end("b")
      yield* Effect.promise(() => once(response.req, "end"))
      assert.strictEqual(received, 5 * 1024 * 1024 + 1)
      response.end()
      yield* Effect.promise(() => answered)
    })
  )

  it.effect("the server's request is aborted when the client leaves before an answer", () =>
    Effect.gen(function* () {
      const { upstream, url } = yield* startHeld
      const outgoing = httpRequest(url, { method: "POST", agent: false }).on("error", () => undefined)
      outgoing.end("{}")
      const response = yield* upstream
      outgoing.destroy()
      yield* closed(response)
      assert.isFalse(response.writableEnded)
    })
  )

  it.effect("the server's request is aborted when the client leaves in the middle of an answer", () =>
    Effect.gen(function* () {
      const { upstream, url } = yield* startHeld
      const opening = yield* Effect.forkChild(Effect.promise(() => open(url)))
      const response = yield* upstream
      response.writeHead(200).write("first")
      const answer = yield* Fiber.join(opening)
      yield* nextChunk(answer)
      answer.destroy()
      yield* closed(response)
      assert.isFalse(response.writableEnded)
    })
  )

  it.effect("the token request is aborted when the client leaves", () =>
    Effect.gen(function* () {
      const tokenEndpoint = yield* startTokenEndpoint
      yield* tokenEndpoint.always("/token", Answer.hang)
      const gateway = yield* startGateway({
        servers: [
          { server_name: "raw", config: { url: "http://127.0.0.1:9/mcp" }, oauth: tokenEndpoint.oauth }
        ]
      })
      const { body, ...options } = ping
      const outgoing = httpRequest(gateway.mcp("raw"), options).on("error", () => undefined)
      outgoing.end(body)
      yield* tokenEndpoint.received(1)
      outgoing.destroy()
      yield* tokenEndpoint.aborted(1)
    })
  )

  it.effect("the answer breaks off when the server dies in the middle, and the next one is served", () =>
    Effect.gen(function* () {
      const { upstream, url } = yield* startHeld
      const opening = yield* Effect.forkChild(Effect.promise(() => open(url)))
      const response = yield* upstream
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n")
      const answer = yield* Fiber.join(opening)
      yield* nextChunk(answer)
      const broken = Effect.promise(() => once(answer, "error"))
      response.destroy()
      const [error] = yield* broken
      assert.strictEqual(error.code, "ECONNRESET")
      assert.isFalse(answer.complete)
      assert.strictEqual((yield* send(url, { method: "DELETE" })).status, 200)
    })
  )
})
