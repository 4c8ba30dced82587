import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { FetchResponse } from "../../../../packages/gateway-server/src/fetch/Fetch.ts"
import {
  begin,
  empty,
  event,
  events,
  FakeBody,
  initialize,
  initializeResult,
  json,
  limits,
  makeFakeServer,
  makeStatefulServer,
  pass,
  result,
  settle,
  startRelay
} from "./FakeServer.ts"

const never: Effect.Effect<FetchResponse> = Effect.never

const stateless = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" }

/** A server that answers each request with a stream, which the test writes to. */
const makeSlowServer = () => {
  const held: Array<FakeBody> = []
  const server = makeFakeServer(() => {
    const body = new FakeBody()
    held.push(body)
    return events(body)
  })
  return { held, server }
}

describe("a relay and the messages of its client", () => {
  it.effect("relays on though `notifications/initialized` is never accepted, and listens", () =>
    Effect.gen(function* () {
      const server = makeStatefulServer({
        handle: ({ message }) => (message.method === "notifications/initialized" ? never : undefined)
      })
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      yield* client.send({ id: 1, method: "tools/list" })
      assert.lengthOf(client.answersTo(1), 0)
      yield* pass("1 second", 2)
      assert.lengthOf(client.answersTo(1), 1)
      assert.strictEqual(server.count("GET"), 1)
    })
  )

  it.effect(
    "sends what arrives at once in its order: `initialize` first, and nothing before the session is there",
    () =>
      Effect.gen(function* () {
        const server = makeStatefulServer({})
        const client = yield* startRelay(server.fetch)
        const lines = [
          initialize,
          { method: "notifications/initialized" },
          { id: 1, method: "tools/list" },
          { id: 2, method: "tools/list" }
        ]
        yield* client.send(lines.map((line) => JSON.stringify({ jsonrpc: "2.0", ...line })).join("\r\n"))
        yield* settle
        assert.deepStrictEqual(
          server.requests
            .filter(({ method }) => method === "POST")
            .map(({ headers, message }) => [message.method, headers["mcp-session-id"]]),
          [
            ["initialize", undefined],
            ["notifications/initialized", "s1"],
            ["tools/list", "s1"],
            ["tools/list", "s1"]
          ]
        )
        assert.lengthOf(client.messages(), 3)
      })
  )

  it.effect("goes on after a failed `initialize`, and begins a session with the next one", () =>
    Effect.gen(function* () {
      const server = makeStatefulServer({
        initialize: ({ message }) => (message.id === 0 ? empty(503) : undefined)
      })
      const client = yield* startRelay(server.fetch)
      yield* client.send(initialize)
      assert.include(client.answersTo(0)[0]?.error?.message, "503")
      yield* client.send({ ...initialize, id: 1 })
      yield* client.send({ id: 2, method: "tools/list" })
      assert.deepStrictEqual(client.answersTo(2)[0]?.result, { session: "s1" })
    })
  )

  it.effect("ends the waiting for a cancelled request, and passes the cancellation on", () =>
    Effect.gen(function* () {
      const body = new FakeBody()
      const server = makeStatefulServer({
        handle: ({ message }) => (message.method === "tools/call" ? events(body) : undefined)
      })
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      yield* client.send({ id: 1, method: "tools/call", params: {} })
      yield* client.send({ method: "notifications/cancelled", params: { requestId: 1 } })
      assert.strictEqual(server.count("notifications/cancelled"), 1)
      assert.isTrue(body.isCancelled)
      body.write(event(result(1)))
      yield* settle
      assert.lengthOf(client.answersTo(1), 0)
      yield* client.send({ id: 1, method: "tools/list" })
      assert.lengthOf(client.answersTo(1), 1)
    })
  )

  it.effect("cancels a request of the stateless revision by its connection alone", () =>
    Effect.gen(function* () {
      const body = new FakeBody()
      const server = makeFakeServer(() => events(body))
      const client = yield* startRelay(server.fetch)
      yield* client.send({ id: 1, method: "tools/call", params: { _meta: stateless } })
      yield* client.send({ method: "notifications/cancelled", params: { requestId: 1 } })
      assert.isTrue(body.isCancelled)
      assert.lengthOf(server.requests, 1)
    })
  )

  it.effect("does not cancel `initialize`", () =>
    Effect.gen(function* () {
      const held = new FakeBody()
      const server = makeStatefulServer({
        initialize: ({ message }) => (message.id === 0 ? events(held) : undefined)
      })
      const client = yield* startRelay(server.fetch)
      yield* client.send(initialize)
      yield* client.send({ method: "notifications/cancelled", params: { requestId: 0 } })
      held.write(event(result(0, initializeResult())))
      yield* settle
      assert.lengthOf(client.answersTo(0), 1)
    })
  )

  it.effect("keeps ids and bodies letter for letter", () =>
    Effect.gen(function* () {
      const bodies: Array<string> = []
      const server = makeStatefulServer({
        handle: ({ body = "" }) => {
          bodies.push(body)
          const id = /"id":([\d.eE+]+|"[^"]*")/.exec(body)?.[1] ?? "null"
          const said = id === "9007199254740993" ? "9007199254740992" : id === "7" ? "7.0" : id
          return json(`{"jsonrpc":"2.0","id":${said},"result":{"n":1e400,"a":1,"a":2}}`)
        }
      })
      const client = yield* startRelay(server.fetch)
      yield* client.send(initialize)
      const sent = ["9007199254740993", "7", "1e2", '"9007199254740993"'].map(
        (id) => `{"jsonrpc":"2.0", "id":${id},"method":"x","params":{"n":0.10000000000000000001,"n":1E400}}`
      )
      for (const line of sent) yield* client.send(line)
      assert.deepStrictEqual(bodies, sent)
      assert.deepStrictEqual(client.lines().slice(1), [
        '{"jsonrpc":"2.0","id":9007199254740993,"result":{"n":1e400,"a":1,"a":2}}',
        '{"jsonrpc":"2.0","id":7,"result":{"n":1e400,"a":1,"a":2}}',
        '{"jsonrpc":"2.0","id":1e2,"result":{"n":1e400,"a":1,"a":2}}',
        '{"jsonrpc":"2.0","id":"9007199254740993","result":{"n":1e400,"a":1,"a":2}}'
      ])
    })
  )

  it.effect("two ids that JavaScript takes for one are two requests", () =>
    Effect.gen(function* () {
      const { held, server } = makeSlowServer()
      const client = yield* startRelay(server.fetch)
      for (const id of ["9007199254740993", "9007199254740992"])
        yield* client.send(`{"jsonrpc":"2.0","id":${id},"method":"x"}`)
      held[0]?.write('data: {"jsonrpc":"2.0","id":9007199254740993,"result":{"of":"first"}}\n\n')
      held[1]?.write('data: {"jsonrpc":"2.0","id":9007199254740992,"result":{"of":"second"}}\n\n')
      yield* settle
      assert.sameMembers(client.lines(), [
        '{"jsonrpc":"2.0","id":9007199254740993,"result":{"of":"first"}}',
        '{"jsonrpc":"2.0","id":9007199254740992,"result":{"of":"second"}}'
      ])
    })
  )

  it.effect("delivers one answer of two, and none that nobody asked for", () =>
    Effect.gen(function* () {
      const listener = new FakeBody()
      const server = makeStatefulServer({
        get: () => events(listener),
        handle: ({ message }) =>
          message.method === "twice"
            ? events(new FakeBody().write(event(result(message.id)) + event(result(message.id))).end())
            : undefined
      })
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      yield* client.send({ id: 1, method: "twice" })
      listener.write(
        event(result(1)) + event(result(99)) + event({ id: null, error: { code: 1, message: "x" } })
      )
      yield* settle
      assert.deepStrictEqual(
        client.messages().map(({ id }) => id),
        [0, 1]
      )
    })
  )

  it.effect("an answer that comes over another stream counts", () =>
    Effect.gen(function* () {
      const listener = new FakeBody()
      const server = makeStatefulServer({
        get: () => events(listener),
        handle: ({ message }) => (message.method === "slow" ? events(new FakeBody()) : undefined)
      })
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      yield* client.send({ id: 1, method: "slow" })
      listener.write(event(result(1, { late: true })))
      yield* settle
      assert.deepStrictEqual(client.answersTo(1)[0]?.result, { late: true })
    })
  )

  it.effect("refuses requests over the limit, and answers when there is room again", () =>
    Effect.gen(function* () {
      const { held, server } = makeSlowServer()
      const client = yield* startRelay(server.fetch)
      for (let id = 0; id <= limits.unreadMessages; id++) yield* client.send({ id, method: "slow" })
      assert.strictEqual(server.requests.length, limits.unreadMessages)
      assert.include(client.answersTo(limits.unreadMessages)[0]?.error?.message, "limits.unread_messages")
      held[0]?.write(event(result(0)))
      yield* settle
      yield* client.send({ id: 100, method: "slow" })
      assert.strictEqual(server.requests.length, limits.unreadMessages + 1)
    })
  )

  it.effect("does not read on while the server takes nothing", () =>
    Effect.gen(function* () {
      const waiting: Array<(answer: FetchResponse) => void> = []
      const server = makeFakeServer(() =>
        Effect.callback((resume) => {
          waiting.push((answer) => resume(Effect.succeed(answer)))
        })
      )
      const client = yield* startRelay(server.fetch)
      const text = "x".repeat(9000)
      for (let count = 0; count < 40; count++) yield* client.send({ method: "n", params: { text } })
      assert.isAtMost(server.requests.length, 6)
      assert.isAbove(client.input.readableLength, 50_000)
      while (waiting.length > 0) {
        waiting.shift()?.(empty(202))
        yield* settle
      }
      assert.lengthOf(server.requests, 40)
    })
  )

  it.effect("answers a line that is too long, and what is no message, and goes on", () =>
    Effect.gen(function* () {
      const server = makeFakeServer(({ message }) => json(result(message.id)))
      const client = yield* startRelay(server.fetch)
      yield* client.send({ id: 1, method: "x", params: { text: "x".repeat(limits.messageBytes) } })
      assert.include(client.answersTo(1)[0]?.error?.message, "limits.message_bytes")
      for (const line of ["{nonsense", "[]", "5", '{"id":2,"method":"x"}', "", " \r"])
        yield* client.send(line)
      assert.deepStrictEqual(
        client
          .messages()
          .slice(1)
          .map(({ error, id }) => [id, error?.code]),
        [
          [null, -32700],
          [null, -32600],
          [null, -32600],
          [2, -32600]
        ]
      )
      yield* client.send('\uFEFF{"jsonrpc":"2.0","id":3,"method":"x"}\r')
      assert.lengthOf(client.answersTo(3), 1)
      assert.lengthOf(server.requests, 1)
    })
  )

  it.effect("a line beyond a bound is an error for the requests in it, and the next line is read", () =>
    Effect.gen(function* () {
      const server = makeFakeServer(({ message }) => json(result(message.id)))
      const client = yield* startRelay(server.fetch, undefined, 1_000_000)
      const deep = `${"[".repeat(40_000)}${"]".repeat(40_000)}`
      yield* client.send(`{"jsonrpc":"2.0","method":"x","params":${deep},"id":1}`)
      yield* client.send({ id: 2, method: "x" })
      yield* settle
      assert.strictEqual(client.answersTo(1)[0]?.error?.code, -32600)
      assert.match(client.answersTo(1)[0]?.error?.message ?? "", /1000 levels/)
      assert.lengthOf(client.answersTo(2), 1)
    })
  )

  it.effect("reads a message whose bytes come one at a time", () =>
    Effect.gen(function* () {
      const server = makeFakeServer(({ message }) => json(result(message.id, message.params)))
      const client = yield* startRelay(server.fetch)
      const line = '{"jsonrpc":"2.0","id":1,"method":"x","params":{"text":"grüße 🚀"}}\n'
      for (const byte of Buffer.from(line)) client.input.write(Buffer.from([byte]))
      yield* settle
      yield* settle
      assert.deepStrictEqual(client.answersTo(1)[0]?.result, { text: "grüße 🚀" })
    })
  )
})

describe("a relay at its end", () => {
  const run = Effect.fnUntraced(function* (
    handle: (method: unknown) => Effect.Effect<FetchResponse> | undefined
  ) {
    const server = makeStatefulServer({ handle: ({ message }) => handle(message.method) })
    const fetch: typeof server.fetch = (request) =>
      request.method === "DELETE"
        ? Effect.andThen(server.fetch(request), handle("DELETE") ?? Effect.succeed(empty(200)))
        : server.fetch(request)
    const client = yield* startRelay(fetch)
    yield* begin(client)
    return { client, server }
  })

  it.effect("ends the session when the input ends", () =>
    Effect.gen(function* () {
      const { client, server } = yield* run(() => undefined)
      client.input.end()
      yield* Fiber.join(client.running)
      assert.strictEqual(server.count("DELETE"), 1)
    })
  )

  it.effect("ends within two seconds though neither a call nor the end of the session is answered", () =>
    Effect.gen(function* () {
      const { client, server } = yield* run((method) =>
        method === "slow" || method === "DELETE" ? never : undefined
      )
      yield* client.send({ id: 1, method: "slow" })
      client.input.end()
      yield* pass("1 second")
      assert.strictEqual(server.count("DELETE"), 1)
      assert.isUndefined(client.running.pollUnsafe())
      yield* pass("1 second")
      assert.isDefined(client.running.pollUnsafe())
    })
  )

  it.effect("ends the session when it is interrupted, within a second", () =>
    Effect.gen(function* () {
      const { client, server } = yield* run((method) =>
        method === "slow" || method === "DELETE" ? never : undefined
      )
      yield* client.send({ id: 1, method: "slow" })
      const stopping = yield* Effect.forkScoped(client.stop)
      yield* settle
      assert.strictEqual(server.count("DELETE"), 1)
      yield* pass("1 second")
      assert.isDefined(stopping.pollUnsafe())
    })
  )

  it.effect("gives a script that has sent everything at once its answers", () =>
    Effect.gen(function* () {
      const server = makeFakeServer(({ message }) =>
        Effect.delay(Effect.succeed(json(result(message.id))), "20 seconds")
      )
      const client = yield* startRelay(server.fetch)
      client.input.end('{"jsonrpc":"2.0","id":1,"method":"x"}')
      yield* pass("20 seconds")
      assert.lengthOf(client.answersTo(1), 1)
      yield* Fiber.join(client.running)
    })
  )
})
