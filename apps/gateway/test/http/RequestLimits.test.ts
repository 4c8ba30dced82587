import { assert, describe, it } from "@effect/vitest"
import { Answer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import { request, type ServerResponse } from "node:http"
import { failureIn, open, ping, type RawAnswer, type RawRequest, send, serveRaw } from "./RawHttp.ts"
import { startGateway, startTokenEndpoint } from "./RunningGateway.ts"

const get = { method: "GET", headers: { accept: "text/event-stream" } }

/** A server that answers nothing until the test says so; counts its connections. */
const startSlowServer = Effect.gen(function* () {
  const waiting: Array<ServerResponse> = []
  const { server, url } = yield* serveRaw((received, response) => {
    received.resume()
    waiting.push(response)
  })
  const connections = Effect.callback<number>((resume) => {
    void server.getConnections((_error, count) => resume(Effect.succeed(count)))
  })
  return { url, waiting, connections }
})

const startFastServer = serveRaw((received, response) => {
  received.resume().on("end", () => response.end("fine"))
})

/** A gateway before a slow server with limits, and a fast one. */
const stage = Effect.fnUntraced(function* (limits: object, oauth?: object, settings: object = {}) {
  const slow = yield* startSlowServer
  const fast = yield* startFastServer
  const gateway = yield* startGateway({
    gateway: { limits, ...settings },
    servers: [
      { server_name: "slow", config: { url: slow.url }, ...(oauth === undefined ? {} : { oauth }) },
      { server_name: "fast", config: { url: fast.url } }
    ]
  })
  return { slow, fast: gateway.mcp("fast"), url: gateway.mcp("slow") }
})

const until = (isThere: () => boolean) =>
  Effect.promise(async () => {
    while (!isThere()) await new Promise((resolve) => setImmediate(resolve))
  })

/** Sends requests that nothing is expected of; they are given up when the scope closes. */
const begin = (count: number, url: string, { body, ...options }: RawRequest = ping) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      Array.from({ length: count }, () => {
        const sent = request(url, { agent: false, ...options }).on("error", () => undefined)
        sent.end(body)
        return sent
      })
    ),
    (all) => Effect.sync(() => all.forEach((sent) => sent.destroy()))
  )

/** A request whose answer has begun, and goes on until the test ends. */
const stay = (url: string) =>
  Effect.acquireRelease(
    Effect.promise(() => open(url, ping)),
    (stream) => Effect.sync(() => stream.destroy())
  )

const reasonOf = (answer: RawAnswer) => [
  answer.status,
  answer.headers["retry-after"],
  failureIn(answer).id,
  failureIn(answer).error.data.reason
]

describe("limits of what one server may take", () => {
  it.live("over limits.concurrent_requests a request is refused at once, and others are served", () =>
    Effect.gen(function* () {
      const { fast, slow, url } = yield* stage({ concurrent_requests: 3 })
      yield* begin(3, url)
      yield* until(() => slow.waiting.length === 3)
      const refused = yield* send(url, ping)
      assert.deepStrictEqual(reasonOf(refused), [429, "5", 1, "TooManyRequests"])
      assert.include(failureIn(refused).error.message, "limits.concurrent_requests")
      assert.lengthOf(slow.waiting, 3, "nothing of it reached the server")
      assert.strictEqual((yield* send(fast, ping)).status, 200)
      slow.waiting[0]?.end("late")
      yield* until(() => slow.waiting[0]?.writableFinished === true)
      // The gateway may see the end of the answer a moment later.
      yield* Effect.repeat(begin(1, url), {
        schedule: Schedule.spaced("50 millis"),
        until: () => slow.waiting.length > 3
      })
    })
  )

  it.live("one person with limits.requests_per_person under way takes nothing from others", () =>
    Effect.gen(function* () {
      const people = ["ada", "bob"].map((subject) => ({ subject, key: `the-key-that-${subject}-holds` }))
      const as = (index: number) => ({
        ...ping,
        headers: { ...ping.headers, authorization: `Bearer ${people[index]?.key}` }
      })
      const { slow, url } = yield* stage({ requests_per_person: 2 }, undefined, { api_keys: people })
      yield* begin(2, url, as(0))
      yield* until(() => slow.waiting.length === 2)
      const refused = yield* send(url, as(0))
      assert.deepStrictEqual(reasonOf(refused), [429, "5", 1, "TooManyRequests"])
      assert.include(failureIn(refused).error.message, "limits.requests_per_person")
      yield* begin(2, url, as(1))
      yield* until(() => slow.waiting.length === 4)
      slow.waiting[0]?.end("late")
      yield* until(() => slow.waiting[0]?.writableFinished === true)
      yield* Effect.repeat(begin(1, url, as(0)), {
        schedule: Schedule.spaced("50 millis"),
        until: () => slow.waiting.length > 4
      })
    })
  )

  it.live("a request whose client has gone makes room for another one", () =>
    Effect.gen(function* () {
      const { slow, url } = yield* stage({ concurrent_requests: 1 })
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* begin(1, url)
          yield* until(() => slow.waiting.length === 1)
          assert.strictEqual((yield* send(url, ping)).status, 429)
        })
      )
      yield* until(() => slow.waiting[0]?.destroyed === true)
      yield* begin(1, url)
      yield* until(() => slow.waiting.length === 2)
    })
  )

  it.live("open streams do not keep requests out, and are bounded by limits.sockets", () =>
    Effect.gen(function* () {
      const { fast, slow, url } = yield* stage({ concurrent_requests: 1, sockets: 6 })
      yield* begin(2, url, get)
      yield* until(() => slow.waiting.length === 2)
      for (const count of [3, 4, 5]) {
        const stream = yield* Effect.forkChild(stay(url))
        yield* until(() => slow.waiting.length === count)
        slow.waiting[count - 1]?.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders()
        yield* Fiber.join(stream)
      }
      yield* begin(1, url)
      yield* until(() => slow.waiting.length === 6)
      for (const oneMore of [ping, get]) {
        const refused = yield* send(url, oneMore)
        assert.strictEqual(refused.status, 429)
        assert.include(failureIn(refused).error.message, "limits.sockets")
      }
      assert.isAtMost(yield* slow.connections, 6)
      assert.strictEqual((yield* send(fast, ping)).status, 200)
    })
  )

  it.live("hundreds of requests to a server that never answers take nothing from another server", () =>
    Effect.gen(function* () {
      const { fast, slow, url } = yield* stage({})
      yield* begin(300, url)
      yield* until(() => slow.waiting.length === 300)
      const answers = yield* Effect.forEach(Array.from({ length: 100 }), () => send(fast, ping), {
        concurrency: 20
      })
      assert.deepStrictEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
      assert.lengthOf(slow.waiting, 300)
    })
  )

  it.live(
    "an authorization server that never answers takes no more connections than its server has requests",
    () =>
      Effect.gen(function* () {
        const tokenEndpoint = yield* startTokenEndpoint
        yield* tokenEndpoint.always(
          "/token",
          Answer.respondWith(() => Effect.never)
        )
        const { fast, slow, url } = yield* stage({ concurrent_requests: 20 }, tokenEndpoint.oauth)
        yield* begin(20, url)
        yield* Effect.repeat(tokenEndpoint.requestsTo("/token"), { until: (asked) => asked.length > 0 })
        const refused = yield* Effect.repeat(send(url, ping), { until: ({ status }) => status === 429 })
        assert.include(failureIn(refused).error.message, "limits.concurrent_requests")
        assert.strictEqual((yield* send(fast, ping)).status, 200)
        assert.lengthOf(slow.waiting, 0)
      })
  )
})
