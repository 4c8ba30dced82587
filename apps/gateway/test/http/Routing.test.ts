import { assert, describe, it } from "@effect/vitest"
import { refusedPort } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { failureIn, ping, send, serveRaw } from "./RawHttp.ts"
import { startGateway, startTokenEndpoint } from "./RunningGateway.ts"

describe("the gateway", () => {
  it.effect("answers 404 for a server that is not configured", () =>
    Effect.gen(function* () {
      const gateway = yield* startGateway({
        servers: [{ server_name: "raw", config: { url: "http://127.0.0.1:9/mcp" } }]
      })
      for (const name of ["other", "constructor", "RAW", "raw%2F..%2Fraw"]) {
        const answer = yield* send(gateway.mcp(name), ping)
        assert.strictEqual(answer.status, 404, name)
        assert.strictEqual(failureIn(answer).id, 1, name)
        assert.strictEqual(failureIn(answer).error.data.reason, "UnknownServer", name)
      }
      assert.strictEqual((yield* send(`${gateway.url}/servers/raw`, ping)).status, 404)
      assert.strictEqual((yield* send(`${gateway.url}/`)).status, 404)
    })
  )

  it.effect("answers 405 with the allowed methods for a method that MCP does not use", () =>
    Effect.gen(function* () {
      const gateway = yield* startGateway({
        servers: [{ server_name: "raw", config: { url: "http://127.0.0.1:9/mcp" } }]
      })
      for (const method of ["PUT", "PATCH", "OPTIONS"]) {
        const answer = yield* send(gateway.mcp("raw"), { method })
        assert.strictEqual(answer.status, 405, method)
        assert.strictEqual(answer.headers.allow, "POST, GET, DELETE", method)
        assert.strictEqual(failureIn(answer).error.data.reason, "MethodNotAllowed", method)
      }
      const { body, status } = yield* send(gateway.mcp("raw"), { method: "HEAD" })
      assert.strictEqual(status, 405)
      assert.lengthOf(body, 0)
    })
  )

  it.effect("answers 403 to a browser that opens the address of a server as a page", () =>
    Effect.gen(function* () {
      const received: Array<string> = []
      const upstream = yield* serveRaw((request, response) => {
        received.push(String(request.method))
        response
          .writeHead(200, { "content-type": "text/html" })
          .end("<script>fetch('/servers/b/mcp')</script>")
      })
      const gateway = yield* startGateway({
        servers: [{ server_name: "raw", config: { url: upstream.url } }]
      })
      for (const method of ["GET", "POST"]) {
        const headers = { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }
        const answer = yield* send(gateway.mcp("raw"), { method, headers })
        assert.strictEqual(answer.status, 403, method)
        assert.strictEqual(failureIn(answer).error.data.reason, "OpenedAsPage", method)
      }
      assert.isEmpty(received)
      const answer = yield* send(gateway.mcp("raw"), { method: "GET" })
      assert.strictEqual(
        answer.headers["content-security-policy"],
        "sandbox",
        "for a browser that does not say"
      )
    })
  )

  it.effect("answers 502 when the server cannot be reached, with a token or without", () =>
    Effect.gen(function* () {
      const port = yield* refusedPort
      const { oauth } = yield* startTokenEndpoint
      const config = { url: `http://127.0.0.1:${port}/mcp` }
      const gateway = yield* startGateway({
        servers: [
          { server_name: "plain", config },
          { server_name: "with-token", config, oauth }
        ]
      })
      for (const name of ["plain", "with-token"]) {
        const answer = yield* send(gateway.mcp(name), ping)
        assert.strictEqual(answer.status, 502, name)
        const { error, id } = failureIn(answer)
        assert.strictEqual(id, 1)
        assert.deepInclude(error.data, { reason: "UpstreamUnreachable", server_name: name })
        assert.match(error.data.correlation_id, /^[\da-f-]{36}$/)
        assert.include(error.message, "connection refused. The request was not carried out")
      }
    })
  )

  it.effect("answers 502 when the server hangs up instead of answering", () =>
    Effect.gen(function* () {
      const upstream = yield* serveRaw((request) => request.socket.destroy())
      const gateway = yield* startGateway({
        servers: [{ server_name: "raw", config: { url: upstream.url } }]
      })
      const answer = yield* send(gateway.mcp("raw"), ping)
      assert.strictEqual(answer.status, 502)
      assert.strictEqual(failureIn(answer).error.data.reason, "UpstreamUnreachable")
      assert.include(
        failureIn(answer).error.message,
        "closed before an answer came. The request may have been carried out"
      )
    })
  )

  it.effect("answers 502 when the server's answer is not HTTP", () =>
    Effect.gen(function* () {
      const upstream = yield* serveRaw((request) => request.socket.end("SSH-2.0-OpenSSH\r\n"))
      const gateway = yield* startGateway({
        servers: [{ server_name: "raw", config: { url: upstream.url } }]
      })
      const answer = yield* send(gateway.mcp("raw"), ping)
      assert.strictEqual(answer.status, 502)
      assert.include(failureIn(answer).error.message, "not HTTP")
    })
  )

  it.effect("answers a request too large to buffer also when it does not read it", () =>
    Effect.gen(function* () {
      const gateway = yield* startGateway({
        servers: [{ server_name: "raw", config: { url: "http://127.0.0.1:9/mcp" } }]
      })
      const body = Buffer.alloc(32 * 1024 * 1024, "m")
      assert.strictEqual((yield* send(gateway.mcp("other"), { method: "POST", body })).status, 404)
    })
  )

  it.effect("puts its token in place of what the client sends, in the header and nowhere else", () =>
    Effect.gen(function* () {
      const { oauth } = yield* startTokenEndpoint
      const seen: Array<unknown> = []
      const upstream = yield* serveRaw((request, response) => {
        seen.push([request.url, request.headers.authorization, request.headers["x-tenant"]])
        response.end()
      })
      const gateway = yield* startGateway({
        servers: [
          { server_name: "raw", config: { url: upstream.url, headers: { "X-Tenant": "seven" } }, oauth }
        ]
      })
      const headers = { authorization: "Bearer of-the-client", "x-tenant": "eight" }
      yield* send(`${gateway.mcp("raw")}?access_token=of-the-client`, { method: "POST", headers })
      assert.deepStrictEqual(seen, [["/mcp", "Bearer token-1", "seven"]])
    })
  )
})
