import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { connect } from "node:net"
import { type IncomingHttpHeaders, type RequestListener } from "node:http"
import { buffer } from "node:stream/consumers"
import { gzipSync } from "node:zlib"
import { send, serveRaw } from "../http/RawHttp.ts"
import { startGateway } from "../http/RunningGateway.ts"

/** A gateway in front of an upstream that wants no token. */
const startBefore = Effect.fnUntraced(function* (listener: RequestListener, config: object = {}) {
  const upstream = yield* serveRaw(listener)
  const gateway = yield* startGateway({
    servers: [{ server_name: "raw", config: { url: upstream.url, ...config } }]
  })
  return gateway.mcp("raw")
})

describe("a request through the gateway", () => {
  const received = Effect.fnUntraced(function* (headers: Record<string, string>, config: object = {}) {
    let seen: IncomingHttpHeaders = {}
    const url = yield* startBefore((request, response) => {
      seen = request.headers
      response.end()
    }, config)
    yield* send(url, { method: "POST", headers, body: "{}" })
    return seen
  })

  it.effect("a request keeps its method, its body and the headers of the protocol", () =>
    Effect.gen(function* () {
      const own = {
        accept: "application/json, text/event-stream",
        "content-type": "application/json",
        "last-event-id": "event-7",
        "mcp-method": "tools/call",
        "mcp-protocol-version": "2026-07-28",
        "mcp-session-id": "session-7",
        "x-of-the-client": "kept, as it is"
      }
      assert.deepInclude(yield* received(own), { ...own, "content-length": "2" })
    })
  )

  it.effect("the client's User-Agent passes through; for a client without one the gateway says its own", () =>
    Effect.gen(function* () {
      const seen: Array<string | undefined> = []
      const upstream = yield* serveRaw((request, response) => {
        seen.push(request.headers["user-agent"])
        response.end()
      })
      const gateway = yield* startGateway({
        servers: [
          { server_name: "raw", config: { url: upstream.url }, user_agent: "secure-mcp-gateway/1.2.3" }
        ]
      })
      yield* send(gateway.mcp("raw"), {
        method: "POST",
        headers: { "user-agent": "inspector/9" },
        body: "{}"
      })
      yield* send(gateway.mcp("raw"), { method: "POST", body: "{}" })
      assert.deepStrictEqual(seen, ["inspector/9", "secure-mcp-gateway/1.2.3"])
    })
  )

  it.effect("a request goes to the path of the server and carries the server's name as Host", () =>
    Effect.gen(function* () {
      const upstream = yield* serveRaw((request, response) => {
        response.end(`${request.method} ${request.headers.host} ${request.url}`)
      })
      const gateway = yield* startGateway({
        servers: [{ server_name: "raw", config: { url: `${upstream.url}?tenant=7` } }]
      })
      for (const method of ["POST", "GET", "DELETE"]) {
        const { body } = yield* send(gateway.mcp("raw"), { method })
        assert.strictEqual(body.toString(), `${method} ${new URL(upstream.url).host} /mcp?tenant=7`)
      }
    })
  )

  it.effect("a request loses the hop-by-hop headers, also those that Connection lists", () =>
    Effect.gen(function* () {
      const seen = yield* received({
        connection: "close, X-Hop",
        "keep-alive": "timeout=99",
        "proxy-authorization": "Basic Zm9vOmJhcg==",
        "proxy-connection": "keep-alive",
        te: "trailers",
        trailer: "x-checksum",
        "x-hop": "of the connection",
        "x-end": "of the message"
      })
      assert.strictEqual(seen["x-end"], "of the message")
      assert.strictEqual(seen.connection, "keep-alive")
      for (const name of [
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "x-hop"
      ]) {
        assert.notProperty(seen, name)
      }
    })
  )

  it.effect("a request loses the client's Authorization and Origin", () =>
    Effect.gen(function* () {
      const seen = yield* received({ authorization: "Bearer of-the-client", origin: "http://localhost:3000" })
      assert.notProperty(seen, "authorization")
      assert.notProperty(seen, "origin")
    })
  )

  it.effect("a request gets the configured headers in place of the client's", () =>
    Effect.gen(function* () {
      const seen = yield* received(
        { "x-api-key": "of-the-client" },
        { headers: { "X-Api-Key": "of-the-entry", Authorization: "Basic b2Y6ZW50cnk=" } }
      )
      assert.deepInclude(seen, { "x-api-key": "of-the-entry", authorization: "Basic b2Y6ZW50cnk=" })
    })
  )

  for (const mebibytes of [3, 9]) {
    it.effect(`${mebibytes} MiB pass through byte for byte, in both directions`, () =>
      Effect.gen(function* () {
        const url = yield* startBefore(async (request, response) => {
          response.end(await buffer(request))
        })
        const body = randomBytes(mebibytes * 1024 * 1024)
        const answer = yield* send(url, { method: "POST", body })
        assert.isTrue(answer.body.equals(body))
      })
    )
  }
})

describe("an answer through the gateway", () => {
  it.effect("an answer keeps its status, its headers and each Set-Cookie", () =>
    Effect.gen(function* () {
      const headers = {
        "content-type": "application/problem+json",
        "mcp-session-id": "session-7",
        "set-cookie": ["a=1; Path=/", "b=2; HttpOnly"],
        "x-latin": "caf\u00e9"
      }
      const url = yield* startBefore((_request, response) => response.writeHead(418, headers).end("short"))
      const answer = yield* send(url)
      assert.strictEqual(answer.status, 418)
      assert.deepInclude(answer.headers, headers)
      assert.strictEqual(answer.body.toString(), "short")
    })
  )

  it.effect("an answer loses the hop-by-hop headers, also those that Connection lists", () =>
    Effect.gen(function* () {
      const url = yield* startBefore((_request, response) => {
        response
          .writeHead(200, {
            connection: "keep-alive, X-Hop",
            "keep-alive": "timeout=99",
            "proxy-authenticate": "Basic",
            trailer: "x-checksum",
            "x-hop": "of the connection",
            "x-end": "of the message"
          })
          .end("text")
      })
      const { headers } = yield* send(url)
      assert.strictEqual(headers["x-end"], "of the message")
      assert.strictEqual(headers.connection, "close")
      for (const name of ["keep-alive", "proxy-authenticate", "trailer", "x-hop"]) {
        assert.notProperty(headers, name)
      }
    })
  )

  it.effect("an answer keeps its content encoding", () =>
    Effect.gen(function* () {
      const compressed = gzipSync("text ".repeat(1000))
      const url = yield* startBefore((_request, response) => {
        response.writeHead(200, { "content-encoding": "gzip" }).end(compressed)
      })
      const answer = yield* send(url, { headers: { "accept-encoding": "gzip" } })
      assert.strictEqual(answer.headers["content-encoding"], "gzip")
      assert.isTrue(answer.body.equals(compressed))
    })
  )

  it.effect("an answer with 204 has no body, and the client's connection stays open", () =>
    Effect.gen(function* () {
      const url = yield* startBefore((_request, response) => response.writeHead(204).end())
      const statuses = yield* Effect.promise(() => statusesOnOneConnection(url, 3))
      assert.deepStrictEqual(statuses, [204, 204, 204])
    })
  )
})

/** Statuses of requests over a connection that must not be closed in between. */
const statusesOnOneConnection = async (url: string, count: number) => {
  const { hostname, pathname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  const statuses: Array<number> = []
  for (let i = 0; i < count; i += 1) {
    socket.write(`DELETE ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`)
    const [chunk] = await once(socket, "data")
    statuses.push(Number(/^HTTP\/1.1 (\d+)/.exec(String(chunk))?.[1]))
  }
  socket.destroy()
  return statuses
}
