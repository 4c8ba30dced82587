import { assert, describe, it } from "@effect/vitest"
import { decodeGatewayConfig } from "@secure-mcp/gateway-server"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { once } from "node:events"
import { request as httpRequest, type ServerResponse } from "node:http"
import { buffer } from "node:stream/consumers"
import { failureIn, ping, send, serveRaw } from "../http/RawHttp.ts"
import { startGateway, startTokenEndpoint } from "../http/RunningGateway.ts"

const mebibyte = 1024 * 1024

/** Room for one body of 600 KiB, and not for two. */
const limits = { buffered_bytes: mebibyte }
const body = Buffer.alloc(600 * 1024, "b")
const post = { method: "POST", body }

/** A gateway before an upstream that holds `/mcp?hold`, refuses `token-1` and tells the length of every other body. */
const startBefore = Effect.gen(function* () {
  const tokenEndpoint = yield* startTokenEndpoint
  const held = Deferred.makeUnsafe<ServerResponse>()
  const lengths: Array<number> = []
  const upstream = yield* serveRaw((request, response) => {
    void buffer(request).then(({ length }) => {
      lengths.push(length)
      if (request.headers["x-hold"] !== undefined) return Deferred.doneUnsafe(held, Effect.succeed(response))
      return response.writeHead(request.headers.authorization === "Bearer token-1" ? 401 : 200).end("fine")
    })
  })
  const config = { url: upstream.url }
  const gateway = yield* startGateway({
    gateway: { limits },
    servers: [
      { server_name: "http", config, oauth: tokenEndpoint.oauth },
      { server_name: "open", config },
      { server_name: "child", config: { command: process.execPath, args: ["-e", "process.stdin.resume()"] } }
    ]
  })
  /** A request whose body is kept until the upstream answers. */
  const hold = Effect.gen(function* () {
    const outgoing = httpRequest(gateway.mcp("open"), {
      method: "POST",
      agent: false,
      headers: { "x-hold": "1" }
    }).on("error", () => undefined)
    outgoing.end(body)
    const response = yield* Deferred.await(held)
    // Else the gateway, which waits for its requests, would never stop.
    yield* Effect.addFinalizer(() => Effect.sync(() => response.destroy()))
    return { outgoing, response }
  })
  return { gateway, hold, lengths, tokenEndpoint }
})

describe("the room for request bodies", () => {
  it.effect("a body for which there is no room arrives whole", () =>
    Effect.gen(function* () {
      const { gateway, hold, lengths } = yield* startBefore
      yield* hold
      const answers = yield* Effect.all([send(gateway.mcp("open"), post), send(gateway.mcp("open"), post)], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        answers.map(({ status }) => status),
        [200, 200]
      )
      assert.deepStrictEqual(lengths, [body.length, body.length, body.length])
    })
  )

  it.effect("a request whose body had no room is not repeated, and its refused token is replaced", () =>
    Effect.gen(function* () {
      const { gateway, hold, lengths, tokenEndpoint } = yield* startBefore
      yield* hold
      const answer = yield* send(gateway.mcp("http"), post)
      assert.strictEqual(answer.status, 502)
      assert.strictEqual(failureIn(answer).error.data.reason, "UpstreamUnauthorized")
      assert.lengthOf(lengths, 2)
      assert.lengthOf(yield* tokenEndpoint.requests, 2)
      assert.strictEqual((yield* send(gateway.mcp("http"), post)).status, 200)
      assert.lengthOf(yield* tokenEndpoint.requests, 2)
    })
  )

  it.effect("the room of a body is free again when its request is answered", () =>
    Effect.gen(function* () {
      const { gateway, hold, lengths } = yield* startBefore
      const { outgoing, response } = yield* hold
      const answered = once(outgoing, "response")
      response.end()
      yield* Effect.promise(() => answered)
      assert.strictEqual((yield* send(gateway.mcp("http"), post)).status, 200)
      assert.lengthOf(lengths, 3)
    })
  )

  it.effect("the room of a body is free again when its client has gone", () =>
    Effect.gen(function* () {
      const { gateway, hold, lengths } = yield* startBefore
      const { outgoing, response } = yield* hold
      const closed = once(response, "close")
      outgoing.destroy()
      yield* Effect.promise(() => closed)
      assert.strictEqual((yield* send(gateway.mcp("http"), post)).status, 200)
      assert.lengthOf(lengths, 3)
    })
  )

  it.effect("a body without room for a child is refused with a time to try again", () =>
    Effect.gen(function* () {
      const { gateway, hold } = yield* startBefore
      const { outgoing, response } = yield* hold
      const answer = yield* send(gateway.mcp("child"), post)
      assert.strictEqual(answer.status, 503)
      assert.strictEqual(answer.headers["retry-after"], "1")
      assert.include(answer.body.toString(), "gateway.limits.buffered_bytes")
      response.end()
      yield* Effect.promise(() => once(outgoing, "response"))
      assert.strictEqual((yield* send(gateway.mcp("child"), post)).status, 400)
    })
  )

  it.effect("a request that fits is repeated while one of another client has no room", () =>
    Effect.gen(function* () {
      const { gateway, hold } = yield* startBefore
      yield* hold
      assert.strictEqual((yield* send(gateway.mcp("http"), ping)).status, 200)
    })
  )

  it.effect("a body that comes in chunks of one byte is repeated byte for byte", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const tokenEndpoint = yield* startTokenEndpoint
      const upstream = yield* serveRaw((request, response) => {
        void buffer(request).then((bytes) => {
          seen.push(bytes.toString())
          return response.writeHead(seen.length === 1 ? 401 : 200).end()
        })
      })
      const gateway = yield* startGateway({
        servers: [{ server_name: "http", config: { url: upstream.url }, oauth: tokenEndpoint.oauth }]
      })
      const text = Array.from({ length: 3000 }, (_, index) => String(index % 7)).join("")
      const outgoing = httpRequest(gateway.mcp("http"), { method: "POST", agent: false })
      const answered = once(outgoing, "response")
      for (const character of text) outgoing.write(character)
      outgoing.end()
      yield* Effect.promise(() => answered)
      assert.deepStrictEqual(seen, [text, text])
    })
  )

  it("the room for request bodies is a number of bytes in `gateway.limits`, and a server has none of its own", () => {
    const decode = (bytes: unknown, entry: object) =>
      decodeGatewayConfig({
        gateway: { limits: { sessions: 5, buffered_bytes: bytes } },
        servers: [{ server_name: "a", config: { url: "https://mcp.example/mcp" }, ...entry }]
      })
    const problems = (bytes: unknown, entry: object) =>
      Result.match(decode(bytes, entry), {
        onFailure: ({ problems }) => problems.map(({ path }) => path.join(".")),
        onSuccess: () => []
      })
    const { gateway } = Result.getOrThrow(decode(7, {}))
    assert.deepStrictEqual([gateway.bufferedBytes, gateway.limits.sessions], [7, 5])
    assert.deepStrictEqual(problems(-1, {}), ["gateway.limits.buffered_bytes"])
    assert.deepStrictEqual(problems("many", {}), ["gateway.limits.buffered_bytes"])
    assert.deepStrictEqual(problems(1, { limits: { buffered_bytes: 1 } }), [
      "servers.0.limits.buffered_bytes"
    ])
  })
})
