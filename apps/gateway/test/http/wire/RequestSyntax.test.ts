import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { bodyOf, converse, echoed, path, startOnWire, statusOf } from "./RawConnection.ts"

describe("HTTP/1.0", () => {
  it.effect("a request with or without Host is served, and its connection closed", () =>
    Effect.gen(function* () {
      const { askExactly, gateway } = yield* startOnWire()
      for (const headers of [["Content-Length: 2"], ["Host: HOST", "Content-Length: 2"]]) {
        const answer = yield* askExactly(`POST ${path} HTTP/1.0`, headers, "{}")
        assert.strictEqual(statusOf(answer), 200)
        assert.match(answer, /\r\nConnection: close\r\n/i)
        assert.strictEqual(echoed(answer)["body"], "{}")
      }
      assert.match(yield* converse(gateway.url, "GET /healthz HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 200 .*ok\n$/s)
      assert.strictEqual(statusOf(yield* askExactly(`POST ${path} HTTP/1.0`, ["Host: evil.example"])), 403)
    })
  )

  it.effect("a client that asks for it keeps its connection", () =>
    Effect.gen(function* () {
      const { gateway, wire } = yield* startOnWire()
      const [host, length] = ["Host: HOST", "Content-Length: 2"]
      const both =
        wire(`POST ${path} HTTP/1.0`, [host, length, "Connection: keep-alive"], "{}") +
        wire(`POST ${path} HTTP/1.0`, [host, length], "[]")
      const answers = yield* converse(gateway.url, both)
      assert.lengthOf(answers.match(/HTTP\/1\.1 200 /g) ?? [], 2)
      assert.match(answers, /Connection: keep-alive/)
    })
  )

  it.effect("an answer without a known length is not chunked, and ends with the connection", () =>
    Effect.gen(function* () {
      const { askExactly } = yield* startOnWire((_request, response) => {
        response.write("first,")
        response.end("last")
      })
      const answer = yield* askExactly(`GET ${path} HTTP/1.0`, ["Host: HOST", "Connection: keep-alive"])
      assert.notMatch(answer, /transfer-encoding/i)
      assert.strictEqual(bodyOf(answer), "first,last")
    })
  )

  it.effect("a client cannot expect 100 Continue", () =>
    Effect.gen(function* () {
      const { askExactly } = yield* startOnWire()
      const headers = ["Host: HOST", "Expect: 100-continue", "Content-Length: 2"]
      const answer = yield* askExactly(`POST ${path} HTTP/1.0`, headers, "{}")
      assert.strictEqual(statusOf(answer), 200)
    })
  )
})

describe("the target of a request", () => {
  const served = [
    `POST ${path}/ HTTP/1.1`,
    `POST ${path}?x=1&y HTTP/1.1`,
    `POST ${path}/?x=1 HTTP/1.1`,
    `POST http://HOST${path} HTTP/1.1`,
    `POST HTTP://HOST${path}?x=1 HTTP/1.1`
  ]
  for (const start of served) {
    it.effect(`${start} is served, and the server's own path and query are requested`, () =>
      Effect.gen(function* () {
        const { ask } = yield* startOnWire()
        const answer = yield* ask(start, ["Content-Length: 2"], "{}")
        assert.strictEqual(statusOf(answer), 200)
        assert.strictEqual(echoed(answer)["url"], "/mcp")
      })
    )
  }

  it.effect("the host of a whole URL counts, and not Host (RFC 9112 §3.2.2)", () =>
    Effect.gen(function* () {
      const { ask, askExactly, reached } = yield* startOnWire()
      assert.strictEqual(statusOf(yield* ask(`POST http://evil.example${path} HTTP/1.1`)), 403)
      assert.isEmpty(reached)
      const headers = ["Host: evil.example", "Connection: close"]
      assert.strictEqual(statusOf(yield* askExactly(`POST http://HOST${path} HTTP/1.1`, headers)), 200)
    })
  )

  it.effect("OPTIONS * says what the gateway understands", () =>
    Effect.gen(function* () {
      const { ask } = yield* startOnWire()
      const answer = yield* ask("OPTIONS * HTTP/1.1")
      assert.match(answer, /^HTTP\/1\.1 204 .*\r\nallow: GET, POST, DELETE, OPTIONS\r\n/s)
      const { ask: askLocked } = yield* startOnWire(undefined, { api_keys: ["a-key-of-the-gateway"] })
      assert.strictEqual(statusOf(yield* askLocked("OPTIONS * HTTP/1.1")), 401)
    })
  )

  it.effect("HEAD gets the headers of GET where the gateway itself answers, and 405 where MCP does", () =>
    Effect.gen(function* () {
      const { ask } = yield* startOnWire()
      assert.match(
        yield* ask("HEAD /healthz HTTP/1.1"),
        /^HTTP\/1\.1 200 .*content-length: 3\r\n.*\r\n\r\n$/s
      )
      const answer = yield* ask(`HEAD ${path} HTTP/1.1`)
      assert.match(answer, /^HTTP\/1\.1 405 .*allow: POST, GET, DELETE\r\n/s)
      assert.strictEqual(bodyOf(answer), "")
    })
  )

  it.effect("CONNECT is refused, and nothing behind it is carried out", () =>
    Effect.gen(function* () {
      const { askExactly, reached } = yield* startOnWire()
      const behind = `POST ${path} HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n`
      const answer = yield* askExactly("CONNECT other.example:443 HTTP/1.1", ["Host: HOST"], behind)
      assert.match(answer, /^HTTP\/1\.1 501 /)
      assert.lengthOf(answer.match(/HTTP\/1\.1 \d/g) ?? [], 1)
      assert.isEmpty(reached)
    })
  )
})

describe("a request that two readers could understand in two ways", () => {
  const length = "Content-Length: 2"
  const chunked = "2\r\n{}\r\n0\r\n\r\n"
  const refused: ReadonlyArray<readonly [string, number, ReadonlyArray<string>, string]> = [
    ["two Host headers", 400, ["Host: HOST", "Host: evil.example", length], "{}"],
    ["the same Host twice", 400, ["Host: HOST", "Host: HOST", length], "{}"],
    ["no Host", 400, [length], "{}"],
    ["a Host that is no host", 400, ["Host: a b", length], "{}"],
    ["a length and chunks", 400, ["Host: HOST", "Transfer-Encoding: chunked", length], chunked],
    ["two lengths", 400, ["Host: HOST", length, "Content-Length: 3"], "{}"],
    ["a length with a sign", 400, ["Host: HOST", "Content-Length: +2"], "{}"],
    ["chunks that are not the last coding", 400, ["Host: HOST", "Transfer-Encoding: chunked, gzip"], chunked],
    ["a coding that is not undone", 501, ["Host: HOST", "Transfer-Encoding: gzip, chunked"], chunked],
    ["a folded header", 400, ["Host: HOST", "X-A: 1", "  2", length], "{}"],
    ["a space before a colon", 400, ["Host: HOST", "Content-Length : 2"], "{}"]
  ]
  for (const [what, status, headers, body] of refused) {
    it.effect(`${what}: it is refused with ${status}, and its connection closed`, () =>
      Effect.gen(function* () {
        const { askExactly, reached } = yield* startOnWire()
        const smuggled = `POST ${path} HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n`
        const answer = yield* askExactly(`POST ${path} HTTP/1.1`, headers, body + smuggled)
        assert.lengthOf(answer.match(/HTTP\/1\.1 \d/g) ?? [], 1)
        assert.strictEqual(statusOf(answer), status)
        assert.isEmpty(reached)
      })
    )
  }

  it.effect("requests behind a coding that is not undone are not carried out, however many there are", () =>
    Effect.gen(function* () {
      const { ask, askExactly, reached } = yield* startOnWire()
      yield* ask(`POST ${path} HTTP/1.1`, [length], "{}")
      const behind = `POST ${path} HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\n{}`.repeat(200)
      for (const coding of ["gzip, chunked", "xchunked"])
        yield* askExactly(
          `POST ${path} HTTP/1.1`,
          ["Host: HOST", `Transfer-Encoding: ${coding}`],
          `0\r\n\r\n${behind}`
        )
      assert.lengthOf(reached, 1)
    })
  )

  it.effect("a body without content is passed on as one", () =>
    Effect.gen(function* () {
      const { ask } = yield* startOnWire()
      for (const headers of [["Content-Length: 0"], []]) {
        const seen = echoed(yield* ask(`POST ${path} HTTP/1.1`, headers))
        assert.deepInclude(seen, { method: "POST", body: "" })
        assert.strictEqual(seen.headers["content-length"], "0")
      }
    })
  )
})

describe("an expectation", () => {
  it.effect("an unknown one is refused with 417", () =>
    Effect.gen(function* () {
      const { ask, reached } = yield* startOnWire()
      const answer = yield* ask(`POST ${path} HTTP/1.1`, ["Expect: 200-ok", "Content-Length: 2"], "{}")
      assert.strictEqual(statusOf(answer), 417)
      assert.isEmpty(reached)
    })
  )

  it.effect("a client that waits for 100 Continue is refused without it, before it sends the body", () =>
    Effect.gen(function* () {
      const { ask } = yield* startOnWire()
      const headers = ["Expect: 100-continue", "Content-Length: 2"]
      assert.strictEqual(statusOf(yield* ask(`PUT ${path} HTTP/1.1`, headers)), 405)
      const { ask: askLocked } = yield* startOnWire(undefined, { api_keys: ["a-key-of-the-gateway"] })
      assert.strictEqual(statusOf(yield* askLocked(`POST ${path} HTTP/1.1`, headers)), 401)
    })
  )
})
