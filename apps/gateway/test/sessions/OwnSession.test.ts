import { assert, describe, it } from "@effect/vitest"
import { redisProgram, RedisServer, requireProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { beforeAll } from "vitest"
import {
  failureIn,
  open,
  ping,
  type RawAnswer,
  type RawRequest,
  rpc,
  send,
  serveRaw
} from "../http/RawHttp.ts"
import { startGateway } from "../http/RunningGateway.ts"

const alice = "the-key-that-alice-holds"
const bob = "the-key-that-bob-holds-too"
const people = [
  { key: alice, subject: "alice" },
  { key: bob, subject: "bob" }
]

const initialize = rpc({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } }
})

/** The request of a person, in a session if one is named. */
const as = (key: string, request: RawRequest, sessionId?: string): RawRequest => ({
  ...request,
  headers: {
    ...request.headers,
    authorization: `Bearer ${key}`,
    ...(sessionId === undefined ? {} : { "mcp-session-id": sessionId })
  }
})

const get: RawRequest = { method: "GET", headers: { accept: "text/event-stream" } }
const end: RawRequest = { method: "DELETE" }

/** A server that begins a session for each request without one, and writes down what reaches it. */
const startServer = Effect.fnUntraced(function* (sessionIdOf = (count: number) => `session "${count}"/=`) {
  let count = 0
  const seen: Array<string> = []
  const { url } = yield* serveRaw((request, response) => {
    const sessionId = request.headers["mcp-session-id"]
    seen.push(`${request.method} ${sessionId}`)
    request.resume().on("end", () => {
      if (sessionId === undefined) response.setHeader("mcp-session-id", sessionIdOf((count += 1)))
      response.setHeader("content-type", "application/json")
      response.end(`{"jsonrpc":"2.0","id":1,"result":{"of":${JSON.stringify(String(sessionId))}}}`)
    })
  })
  return { seen, url }
})

const stage = Effect.fnUntraced(function* (options: {
  readonly url: string
  readonly apiKeys?: ReadonlyArray<unknown>
  readonly limits?: object
  readonly store?: object
}) {
  const gateway = yield* startGateway({
    store: options.store ?? { type: "memory" },
    gateway: { api_keys: options.apiKeys ?? people },
    servers: [{ server_name: "one", config: { url: options.url }, limits: options.limits ?? {} }]
  })
  const url = gateway.mcp("one")
  const begin = (key: string) =>
    Effect.map(send(url, as(key, initialize)), ({ headers }) => String(headers["mcp-session-id"]))
  return { begin, url }
})

const refusal = (answer: RawAnswer) => [answer.status, failureIn(answer).error.data.reason]

describe("a session with a server over HTTP belongs to the person who began it", () => {
  it.effect("a session id that the server gives reaches its client byte for byte", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { begin, url } = yield* stage(server)
      const sessionId = yield* begin(alice)
      assert.strictEqual(sessionId, 'session "1"/=')
      for (const request of [ping, get, end])
        assert.strictEqual((yield* send(url, as(alice, request, sessionId))).status, 200)
      assert.deepStrictEqual(server.seen, [
        "POST undefined",
        `POST ${sessionId}`,
        `GET ${sessionId}`,
        `DELETE ${sessionId}`
      ])
    })
  )

  for (const [method, request] of [
    ["POST", ping],
    ["GET", get],
    ["DELETE", end]
  ] as const)
    it.effect(`a ${method} of another person with a foreign session id gets 404 and reaches no server`, () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const { begin, url } = yield* stage(server)
        const sessionId = yield* begin(alice)
        const foreign = yield* send(url, as(bob, request, sessionId))
        assert.deepStrictEqual(refusal(foreign), [404, "UnknownSession"])
        assert.lengthOf(server.seen, 1)
        assert.strictEqual((yield* send(url, as(alice, request, sessionId))).status, 200)
      })
    )

  it.effect("an unknown session id gets the same answer as that of another person", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { begin, url } = yield* stage(server)
      const foreign = yield* send(url, as(bob, ping, yield* begin(alice)))
      const unknown = yield* send(url, as(bob, ping, "no-session"))
      const comparable = (answer: RawAnswer) => {
        const { error, id } = failureIn(answer)
        return { id, ...error, data: { ...error.data, correlation_id: "" }, status: answer.status }
      }
      assert.deepStrictEqual(comparable(foreign), comparable(unknown))
      assert.lengthOf(server.seen, 1)
    })
  )

  it.effect("initialize with the session id of another person gets 404", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { begin, url } = yield* stage(server)
      const answer = yield* send(url, as(bob, initialize, yield* begin(alice)))
      assert.deepStrictEqual(refusal(answer), [404, "UnknownSession"])
    })
  )

  it.effect("a server that gives two people the same session id gives it to the first only", () =>
    Effect.gen(function* () {
      const server = yield* startServer(() => "always the same")
      const { begin, url } = yield* stage(server)
      const sessionId = yield* begin(alice)
      const second = yield* send(url, as(bob, initialize))
      assert.deepStrictEqual(refusal(second), [502, "SessionConflict"])
      assert.isUndefined(second.headers["mcp-session-id"])
      assert.strictEqual((yield* send(url, as(alice, ping, sessionId))).status, 200)
      assert.strictEqual((yield* send(url, as(bob, ping, sessionId))).status, 404)
      assert.strictEqual(yield* begin(alice), sessionId, "a person may begin it again")
    })
  )

  it.effect("an answer in one session that names the session of another person is not passed on", () =>
    Effect.gen(function* () {
      const { url: server } = yield* serveRaw((request, response) => {
        const isBob = request.headers["x-who"] === "bob"
        const sessionId = isBob && request.headers["mcp-session-id"] === undefined ? "of bob" : "of alice"
        request.resume().on("end", () => response.writeHead(200, { "mcp-session-id": sessionId }).end("{}"))
      })
      const { url } = yield* stage({ url: server })
      yield* send(url, as(alice, initialize))
      const bobs = { ...initialize, headers: { ...initialize.headers, "x-who": "bob" } }
      assert.strictEqual((yield* send(url, as(bob, bobs))).headers["mcp-session-id"], "of bob")
      assert.deepStrictEqual(refusal(yield* send(url, as(bob, bobs, "of bob"))), [502, "SessionConflict"])
    })
  )

  it.effect("an error of the server begins no session", () =>
    Effect.gen(function* () {
      const { url: server } = yield* serveRaw((request, response) => {
        request.resume().on("end", () => response.writeHead(400, { "mcp-session-id": "s" }).end("no"))
      })
      const { url } = yield* stage({ url: server })
      const answer = yield* send(url, as(alice, initialize))
      assert.deepStrictEqual([answer.status, answer.body.toString()], [400, "no"])
      assert.isUndefined(answer.headers["mcp-session-id"])
      assert.deepStrictEqual(refusal(yield* send(url, as(alice, ping, "s"))), [404, "UnknownSession"])
    })
  )

  it.effect("a session that its client has ended is nobody's any more", () =>
    Effect.gen(function* () {
      const { begin, url } = yield* stage(yield* startServer())
      const sessionId = yield* begin(alice)
      assert.strictEqual((yield* send(url, as(alice, end, sessionId))).status, 200)
      assert.deepStrictEqual(refusal(yield* send(url, as(alice, ping, sessionId))), [404, "UnknownSession"])
    })
  )

  it.effect("a stream that begins a session arrives event by event", () =>
    Effect.gen(function* () {
      let goOn = () => {}
      const { url: server } = yield* serveRaw((request, response) => {
        request.resume()
        response.writeHead(200, { "content-type": "text/event-stream", "mcp-session-id": "s" })
        response.write("data: 1\n\n")
        goOn = () => response.end("data: 2\n\n")
      })
      const { url } = yield* stage({ url: server })
      const response = yield* Effect.promise(() => open(url, as(alice, initialize)))
      const events = response.setEncoding("utf8").iterator()
      const next = Effect.promise(async () => String((await events.next()).value))
      assert.strictEqual(yield* next, "data: 1\n\n")
      goOn()
      assert.strictEqual(yield* next, "data: 2\n\n")
    })
  )

  it.effect("a client that leaves a stream which began a session closes that of the server", () =>
    Effect.gen(function* () {
      let leave = () => {}
      const left = new Promise<void>((resolve) => (leave = resolve))
      const { url: server } = yield* serveRaw((request, response) => {
        request.resume()
        response.on("close", leave)
        response.writeHead(200, { "content-type": "text/event-stream", "mcp-session-id": "s" }).flushHeaders()
      })
      const { url } = yield* stage({ url: server })
      const response = yield* Effect.promise(() => open(url, as(alice, initialize)))
      assert.strictEqual(response.headers["mcp-session-id"], "s")
      response.destroy()
      yield* Effect.promise(() => left)
    })
  )

  it.effect("over limits.remembered_sessions the person with the most loses the one unused the longest", () =>
    Effect.gen(function* () {
      const { begin, url } = yield* stage({
        ...(yield* startServer()),
        limits: { remembered_sessions: 3 }
      })
      const ofBob = yield* begin(bob)
      const [first, second] = [yield* begin(alice), yield* begin(alice)]
      yield* send(url, as(alice, ping, first))
      const third = yield* begin(alice)
      const status = (key: string, id: string) =>
        Effect.map(send(url, as(key, ping, id)), (answer) => answer.status)
      assert.deepStrictEqual(
        yield* Effect.all([
          status(bob, ofBob),
          status(alice, first),
          status(alice, second),
          status(alice, third)
        ]),
        [200, 200, 404, 200]
      )
    })
  )

  it.effect.each<readonly [string, ReadonlyArray<unknown>]>([
    ["no API keys", []],
    ["one API key", [{ key: alice, subject: "alice" }]],
    [
      "two API keys of one person",
      [
        { key: alice, subject: "alice" },
        { key: bob, subject: "alice" }
      ]
    ]
  ])("with %s all callers are one person, who may go on with any session", ([, apiKeys]) =>
    Effect.gen(function* () {
      const { url } = yield* stage({ ...(yield* startServer()), apiKeys })
      const answer = yield* send(url, as(alice, ping, "from before a restart"))
      assert.strictEqual(answer.status, 200)
    })
  )
})

/** The configuration of a store in Redis. */
const storeIn = (url: string) => ({
  type: "redis",
  url,
  encryption_key: "a-good-key-of-32-characters-or-more"
})

describe("sessions of gateways that share a Redis", () => {
  let program: string | undefined
  beforeAll(() => {
    program = requireProgram(redisProgram)
  })

  it.live("a session that began at one gateway goes on at another, for its own person only", ({ skip }) =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make(program ?? skip("no redis-server"))
      const store = storeIn(redis.url)
      const server = yield* startServer()
      const [one, other] = yield* Effect.all([stage({ ...server, store }), stage({ ...server, store })])
      const sessionId = yield* one.begin(alice)
      assert.deepStrictEqual(refusal(yield* send(other.url, as(bob, ping, sessionId))), [
        404,
        "UnknownSession"
      ])
      assert.strictEqual((yield* send(other.url, as(alice, ping, sessionId))).status, 200)
      assert.strictEqual((yield* send(other.url, as(alice, end, sessionId))).status, 200)
      const third = yield* stage({ ...server, store })
      assert.strictEqual((yield* send(third.url, as(alice, ping, sessionId))).status, 404)
    })
  )

  it.live("a session id that two gateways are given for two people is that of the first", ({ skip }) =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make(program ?? skip("no redis-server"))
      const store = storeIn(redis.url)
      const server = yield* startServer(() => "always the same")
      const [one, other] = yield* Effect.all([stage({ ...server, store }), stage({ ...server, store })])
      const sessionId = yield* one.begin(alice)
      const second = yield* send(other.url, as(bob, initialize))
      assert.deepStrictEqual(refusal(second), [502, "SessionConflict"])
      assert.strictEqual(yield* other.begin(alice), sessionId)
    })
  )

  it.live("while Redis is away, known sessions go on and others get 503 with Retry-After", ({ skip }) =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make(program ?? skip("no redis-server"))
      const store = storeIn(redis.url)
      const server = yield* startServer()
      const [one, other] = yield* Effect.all([stage({ ...server, store }), stage({ ...server, store })])
      const sessionId = yield* one.begin(alice)
      yield* redis.kill
      assert.strictEqual((yield* send(one.url, as(alice, ping, sessionId))).status, 200)
      assert.strictEqual((yield* send(one.url, as(bob, ping, sessionId))).status, 404)
      const unknown = yield* send(other.url, as(alice, ping, sessionId))
      assert.deepStrictEqual(refusal(unknown), [503, "StoreUnavailable"])
      assert.strictEqual(unknown.headers["retry-after"], "5")
      const begun = yield* one.begin(alice)
      assert.strictEqual((yield* send(one.url, as(alice, ping, begun))).status, 200)
      assert.strictEqual((yield* send(one.url, as(bob, ping, begun))).status, 404)
    })
  )
})
