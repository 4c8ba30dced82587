import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import { type IncomingMessage, request as httpRequest, type ServerResponse } from "node:http"
import { buffer } from "node:stream/consumers"
import { ping, send, serveRaw } from "../http/RawHttp.ts"
import { startGateway, startTokenEndpoint } from "../http/RunningGateway.ts"

/** Long enough to be sent while it arrives, and of parts that can be told apart. */
const body = Buffer.from(Array.from({ length: 40_000 }, (_, index) => `${index} `).join(""))
const half = body.subarray(0, body.length / 2)

/** A gateway before a server that does to each request what the test says, with a token in memory. */
const startBefore = Effect.fnUntraced(function* (
  answer: (request: IncomingMessage, response: ServerResponse, number: number) => void
) {
  const tokenEndpoint = yield* startTokenEndpoint
  const received: Array<string | undefined> = []
  const upstream = yield* serveRaw((request, response) => {
    if (request.headers["x-first"] !== undefined) return request.resume().on("end", () => response.end())
    received.push(request.headers.authorization)
    return answer(request, response, received.length)
  })
  const gateway = yield* startGateway({
    servers: [{ server_name: "http", config: { url: upstream.url }, oauth: tokenEndpoint.oauth }]
  })
  const url = gateway.mcp("http")
  yield* send(url, { ...ping, headers: { ...ping.headers, "x-first": "1" } })
  /** A request of which only the first half is sent. */
  const begin = () => {
    const outgoing = httpRequest(url, {
      method: "POST",
      agent: false,
      headers: { "content-length": body.length }
    }).on("error", () => undefined)
    outgoing.write(half)
    return outgoing
  }
  return { begin, received, url }
})

const answerTo = (outgoing: ReturnType<typeof httpRequest>) =>
  Effect.promise(async () => {
    const [response] = await once(outgoing, "response")
    return { status: response.statusCode, body: await buffer(response) }
  })

const refuseFirstToken = (request: IncomingMessage, response: ServerResponse) => {
  const status = request.headers.authorization === "Bearer token-1" ? 401 : 200
  void buffer(request).then((bytes) => response.writeHead(status).end(bytes))
}

describe("a long body that arrives", () => {
  it.effect("the server gets the beginning of a long body before its end is there, with its length", () =>
    Effect.gen(function* () {
      const lengths: Array<string | undefined> = []
      const { begin } = yield* startBefore((request, response) => {
        lengths.push(request.headers["content-length"])
        request.once("data", () => outgoing.end(body.subarray(half.length)))
        void buffer(request).then((bytes) => response.end(bytes))
      })
      const outgoing = begin()
      const answer = yield* answerTo(outgoing)
      assert.deepStrictEqual(answer, { status: 200, body })
      assert.deepStrictEqual(lengths, [String(body.length)])
    })
  )

  it.effect("a long body whose token is refused is sent again, whole", () =>
    Effect.gen(function* () {
      const { received, url } = yield* startBefore(refuseFirstToken)
      const answer = yield* send(url, { method: "POST", body })
      assert.strictEqual(answer.status, 200)
      assert.isTrue(answer.body.equals(body))
      assert.deepStrictEqual(received, ["Bearer token-1", "Bearer token-2"])
    })
  )

  it.effect("a long body whose token is refused before its end is sent again when it is complete", () =>
    Effect.gen(function* () {
      const { begin, received } = yield* startBefore((request, response, number) => {
        if (number === 1) {
          response.writeHead(401, { "content-length": "0" }).end()
          setImmediate(() => outgoing.end(body.subarray(half.length)))
        } else void buffer(request).then((bytes) => response.end(bytes))
      })
      const outgoing = begin()
      const answer = yield* answerTo(outgoing)
      assert.strictEqual(answer.status, 200)
      assert.isTrue(answer.body.equals(body))
      assert.deepStrictEqual(received, ["Bearer token-1", "Bearer token-2"])
    })
  )

  it.effect("a long body in many small parts is sent again byte for byte", () =>
    Effect.gen(function* () {
      const { begin, received } = yield* startBefore(refuseFirstToken)
      const outgoing = begin()
      outgoing.setNoDelay(true)
      for (let at = half.length; at < body.length; at += 700) outgoing.write(body.subarray(at, at + 700))
      outgoing.end()
      const answer = yield* answerTo(outgoing)
      assert.isTrue(answer.body.equals(body))
      assert.lengthOf(received, 2)
    })
  )

  it.effect("a server hears that the client of an unfinished body has gone", () =>
    Effect.gen(function* () {
      const closed = Promise.withResolvers<void>()
      const { begin, url } = yield* startBefore((request, response, number) => {
        if (number > 1) return void buffer(request).then((bytes) => response.end(bytes))
        request.once("data", () => outgoing.destroy())
        request.on("error", () => undefined).once("close", () => closed.resolve())
        return undefined
      })
      const outgoing = begin()
      yield* Effect.promise(() => closed.promise)
      assert.isTrue((yield* send(url, { method: "POST", body })).body.equals(body))
    })
  )

  it.effect("an answer that comes before the end of a long body is passed on", () =>
    Effect.gen(function* () {
      const { begin } = yield* startBefore((request, response) => {
        request.once("data", () => response.writeHead(413, { connection: "close" }).end("too long"))
      })
      const answer = yield* answerTo(begin())
      assert.deepStrictEqual([answer.status, answer.body.toString()], [413, "too long"])
    })
  )

  it.effect("bodies of many clients at once are each sent again as they were", () =>
    Effect.gen(function* () {
      const { received, url } = yield* startBefore(refuseFirstToken)
      const bodyOf = (name: number) => Buffer.alloc(300_000, `${name}-`)
      const names = Array.from({ length: 12 }, (_, name) => name)
      for (let round = 0; round < 2; round += 1) {
        const answers = yield* Effect.forEach(
          names,
          (name) => send(url, { method: "POST", body: bodyOf(name) }),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          answers.map((answer, name) => [answer.status, answer.body.equals(bodyOf(name))]),
          names.map(() => [200, true])
        )
      }
      assert.isAbove(received.filter((token) => token === "Bearer token-1").length, 1)
    })
  )
})
