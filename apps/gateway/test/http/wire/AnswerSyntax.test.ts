import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { answerWith, bodyOf, echoed, path, startOnWire, statusOf } from "./RawConnection.ts"

describe("a header of one connection", () => {
  it.effect("what Connection lists goes no further, and neither do trailers", () =>
    Effect.gen(function* () {
      const { askExactly } = yield* startOnWire()
      const headers = [
        "Host: HOST",
        "Connection: close, X-Hop",
        "Connection: x-other",
        "X-Hop: 1",
        "X-Other: 1",
        "X-End: 1",
        "X-End: 2",
        "TE: trailers",
        "Trailer: X-Sum",
        "Max-Forwards: 3",
        "Transfer-Encoding: chunked"
      ]
      const answer = yield* askExactly(`POST ${path} HTTP/1.1`, headers, "2\r\n{}\r\n0\r\nX-Sum: 7\r\n\r\n")
      const seen = echoed(answer)
      assert.deepInclude(seen, { body: "{}", rawTrailers: [] })
      assert.deepInclude(seen.headers, { "x-end": "1, 2", "max-forwards": "3", "content-length": "2" })
      for (const name of ["x-hop", "x-other", "te", "trailer", "transfer-encoding"])
        assert.notProperty(seen.headers, name)
    })
  )

  it.effect("what the Connection of an answer lists, over several lines, goes no further", () =>
    Effect.gen(function* () {
      const { ask } = yield* startOnWire(
        answerWith(
          "HTTP/1.1 200 OK",
          "Connection: close",
          "Connection: x-hop",
          "X-Hop: 1",
          "Set-Cookie: a=1",
          "Set-Cookie: b=2",
          "X-End: 1",
          "X-End: 2",
          "Content-Length: 2",
          "",
          "{}"
        )
      )
      const answer = yield* ask(`GET ${path} HTTP/1.1`)
      assert.notMatch(answer, /x-hop/i)
      for (const line of ["set-cookie: a=1", "set-cookie: b=2", "x-end: 1", "x-end: 2"])
        assert.include(answer, `\r\n${line}\r\n`)
      assert.strictEqual(bodyOf(answer), "{}")
    })
  )

  it.effect("trailers of an answer go no further", () =>
    Effect.gen(function* () {
      const { ask } = yield* startOnWire((_request, response) => {
        response.writeHead(200, { trailer: "x-sum" }).write("{}")
        response.addTrailers({ "x-sum": "7" })
        response.end()
      })
      const answer = yield* ask(`GET ${path} HTTP/1.1`, ["TE: trailers"])
      assert.notMatch(answer, /x-sum/i)
      assert.include(answer, "\r\n2\r\n{}\r\n0\r\n\r\n")
    })
  )

  it.effect("the server learns of the gateway by a pseudonym (RFC 9110 §7.6.3)", () =>
    Effect.gen(function* () {
      const { ask, askExactly } = yield* startOnWire()
      const viaOf = (answer: string) => echoed(answer).headers["via"]
      assert.strictEqual(viaOf(yield* ask(`GET ${path} HTTP/1.1`)), "1.1 secure-mcp-gateway")
      assert.strictEqual(viaOf(yield* askExactly(`GET ${path} HTTP/1.0`)), "1.0 secure-mcp-gateway")
      assert.strictEqual(
        viaOf(yield* ask(`GET ${path} HTTP/1.1`, ["Via: 1.1 first"])),
        "1.1 first, 1.1 secure-mcp-gateway"
      )
    })
  )
})

describe("a status that says how an answer ends", () => {
  const answers: ReadonlyArray<readonly [string, ReadonlyArray<string>, RegExp]> = [
    ["204 No Content", ["Content-Length: 4", "", "body"], /^HTTP\/1\.1 204 (?!.*content-length).*\r\n\r\n$/s],
    [
      "205 Reset Content",
      ["Content-Length: 4", "", "body"],
      /^HTTP\/1\.1 205 .*content-length: 0\r\n.*\r\n\r\n$/s
    ],
    [
      "304 Not Modified",
      ['ETag: "a"', "Content-Length: 4", "", ""],
      /^HTTP\/1\.1 304 .*etag: "a"\r\n.*\r\n\r\n$/s
    ]
  ]
  for (const [status, rest, expected] of answers) {
    it.effect(`${status}: no body reaches the client, whatever the server sends`, () =>
      Effect.gen(function* () {
        const { ask } = yield* startOnWire(answerWith(`HTTP/1.1 ${status}`, "X-End: 1", ...rest))
        assert.match(yield* ask(`GET ${path} HTTP/1.1`), expected)
      })
    )
  }

  it.effect("interim answers of the server go no further, the final one does", () =>
    Effect.gen(function* () {
      const { ask } = yield* startOnWire((_request, response) => {
        response.writeEarlyHints({ link: "</style.css>; rel=preload" })
        response.writeProcessing()
        response.end("{}")
      })
      const answer = yield* ask(`GET ${path} HTTP/1.1`)
      assert.strictEqual(statusOf(answer), 200)
      assert.notMatch(answer, /style\.css/)
    })
  )
})
