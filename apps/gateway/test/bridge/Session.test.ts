import { assert, describe, it } from "@effect/vitest"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { readFileSync } from "node:fs"
import { fixture, isRunning, serveBridge, until } from "./bridgeServer.ts"
import { call, openSession, type Message } from "./httpCall.ts"

const token = "session-token-3f9a1c77"

/** A client of the official SDK in a session. */
const connect = (url: URL, client = new Client({ name: "test", version: "1" })) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const transport = new StreamableHTTPClientTransport(url)
      await client.connect(transport)
      return { client, transport }
    }),
    ({ client }) => Effect.promise(() => client.close())
  )

const callTool = (client: Client, name: string) =>
  Effect.promise(async () => {
    const { content } = await client.callTool({ name, arguments: {} })
    return JSON.parse(content[0]?.type === "text" ? content[0].text : "null")
  })

const sdkServer = Effect.succeed(fixture("sdkServer", { ENKRYPT_ACCESS_TOKEN: token }))
const lineServer = Effect.succeed(fixture("lineServer", { ENKRYPT_ACCESS_TOKEN: token }))

const request = (id: unknown, method: string, params: object = {}) => ({ jsonrpc: "2.0", id, method, params })
const emit = (id: unknown, lines: ReadonlyArray<unknown>, meta: object = {}) =>
  request(id, "emit", {
    lines: lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))),
    _meta: meta
  })
const pidOf = (answer: Message | undefined) => Number(answer?.result?.["pid"])

describe("the sessions of a stdio server", () => {
  it.effect("each session has a child with its own state and token", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(sdkServer)
      const one = yield* connect(server.url)
      const two = yield* connect(server.url)
      yield* callTool(one.client, "count_calls")
      const second = yield* callTool(one.client, "count_calls")
      const other = yield* callTool(two.client, "count_calls")
      assert.strictEqual(second.calls, 2)
      assert.strictEqual(other.calls, 1)
      assert.notStrictEqual(second.pid, other.pid)
      assert.strictEqual(second.token, token)
      assert.strictEqual(server.starts(), 2)
      assert.isFalse(readFileSync(`/proc/${second.pid}/cmdline`, "utf8").includes(token))
    })
  )

  it.effect("the child ends when the client ends the session", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(sdkServer)
      const { client, transport } = yield* connect(server.url)
      const { pid } = yield* callTool(client, "count_calls")
      const { sessionId = "" } = transport
      yield* Effect.promise(() => transport.terminateSession())
      assert.isFalse(isRunning(pid))
      const after = yield* call(server.url, {
        headers: { "mcp-session-id": sessionId },
        body: request(1, "ping")
      })
      assert.strictEqual(after.status, 404)
    })
  )

  it.effect("all children end with the scope", () =>
    Effect.gen(function* () {
      const pids = yield* Effect.gen(function* () {
        const server = yield* serveBridge(sdkServer)
        const one = yield* connect(server.url)
        const two = yield* connect(server.url)
        return [yield* callTool(one.client, "count_calls"), yield* callTool(two.client, "count_calls")]
      }).pipe(Effect.scoped)
      assert.deepStrictEqual(
        pids.map(({ pid }) => isRunning(pid)),
        [false, false]
      )
    })
  )

  it.live("a child that ignores the end of its input is killed", () =>
    Effect.gen(function* () {
      const pid = yield* Effect.gen(function* () {
        const server = yield* serveBridge(Effect.succeed(fixture("lineServer", { STUBBORN: "yes" })))
        const { headers } = yield* openSession(server.url)
        const answers = yield* call(server.url, { headers, body: request(1, "environment") })
        return pidOf(yield* answers.next)
      }).pipe(Effect.scoped)
      assert.isAbove(pid, 0)
      assert.isFalse(isRunning(pid))
    })
  )

  it.effect("open requests are answered when the child ends, and the session ends", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const { headers } = yield* openSession(server.url)
      const crashing = yield* call(server.url, {
        headers,
        body: [request("a", "silence"), request("b", "exit")]
      })
      const answers = yield* crashing.rest
      assert.deepStrictEqual(
        answers.map(({ error, id }) => [id, error?.code]),
        [
          ["a", -31002],
          ["b", -31002]
        ]
      )
      const after = yield* call(server.url, { headers, body: request(2, "ping") })
      assert.strictEqual(after.status, 404)
    })
  )

  it.effect("a session that is not used for 30 minutes ends, unless a stream is open", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const { headers } = yield* openSession(server.url)
      const pid = pidOf(
        yield* Effect.flatMap(
          call(server.url, { headers, body: request(1, "environment") }),
          ({ next }) => next
        )
      )
      yield* server.settled
      const stream = yield* call(server.url, { method: "GET", headers })
      yield* TestClock.adjust("29 minutes")
      yield* TestClock.adjust("29 minutes")
      assert.isTrue(isRunning(pid))
      yield* stream.abort
      yield* server.settled
      yield* TestClock.adjust("29 minutes")
      assert.isTrue(isRunning(pid))
      yield* TestClock.adjust("1 minute")
      yield* until(() => !isRunning(pid))
      const after = yield* call(server.url, { headers, body: request(2, "ping") })
      assert.strictEqual(after.status, 404)
    })
  )

  it.effect("progress goes to the request that asked for it", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(sdkServer)
      const { client } = yield* connect(server.url)
      const progress: Array<number> = []
      yield* Effect.promise(() =>
        client.callTool(
          { name: "count_aloud", arguments: {} },
          { onprogress: (event) => progress.push(event.progress) }
        )
      )
      assert.deepStrictEqual(progress, [1, 2, 3])
    })
  )

  it.effect("the progress of two requests is not mixed up", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const { headers } = yield* openSession(server.url)
      const progress = (token: string) => ({
        jsonrpc: "2.0",
        method: "notifications/progress",
        params: { progressToken: token, progress: 1 }
      })
      const quiet = yield* Effect.forkChild(
        call(server.url, {
          headers,
          body: { ...request(1, "silence"), params: { _meta: { progressToken: "one" } } }
        })
      )
      const loud = yield* call(server.url, {
        headers,
        body: emit(2, [progress("two"), progress("one"), { jsonrpc: "2.0", id: 1, result: {} }], {
          progressToken: "two"
        })
      })
      const [two, answer] = yield* loud.rest
      assert.deepStrictEqual([two?.params?.["progressToken"], answer?.id], ["two", 2])
      const first = yield* Effect.flatMap(Fiber.join(quiet), ({ rest }) => rest)
      assert.deepStrictEqual([first[0]?.params?.["progressToken"], first[1]?.id], ["one", 1])
    })
  )

  it.effect("messages that belong to no request wait for the client's stream", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const { headers } = yield* openSession(server.url)
      const changed = (number: number) => ({ jsonrpc: "2.0", method: "notifications/x", params: { number } })
      // Both after the answer, when no request is under way.
      const early = yield* call(server.url, {
        headers,
        body: emit(1, [{ jsonrpc: "2.0", id: 1, result: {} }, changed(1), changed(2)])
      })
      assert.deepStrictEqual(
        (yield* early.rest).map(({ id }) => id),
        [1]
      )
      yield* server.settled
      const stream = yield* call(server.url, { method: "GET", headers })
      assert.strictEqual((yield* stream.next)?.params?.["number"], 1)
      assert.strictEqual((yield* stream.next)?.params?.["number"], 2)
      const later = yield* call(server.url, { headers, body: emit(3, [changed(3)]) })
      assert.isFalse(later.isEventStream)
      assert.strictEqual((yield* stream.next)?.params?.["number"], 3)
    })
  )

  it.effect("too many messages that wait for a stream are an error", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const { headers } = yield* openSession(server.url)
      const answer = { jsonrpc: "2.0", id: 1, result: {} }
      const many = Array.from({ length: 257 }, () => ({ jsonrpc: "2.0", method: "notifications/x" }))
      yield* call(server.url, { headers, body: emit(1, [answer, ...many]) })
      yield* until(() => server.logs.some((line) => line.includes("too many wait")))
    })
  )

  it.effect("an event stream keeps a silent connection open", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const { headers } = yield* openSession(server.url)
      const calling = yield* Effect.forkChild(call(server.url, { headers, body: request(1, "silence") }))
      while (calling.pollUnsafe() === undefined) {
        yield* TestClock.adjust("15 seconds")
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      const waiting = yield* Fiber.join(calling)
      assert.isTrue(waiting.isEventStream)
      yield* call(server.url, { headers, body: request(2, "exit") })
      assert.strictEqual((yield* waiting.next)?.error?.code, -31002)
    })
  )

  it.effect("the server's questions go to the client and the answers back", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(sdkServer)
      const asked = new Client({ name: "test", version: "1" }, { capabilities: { elicitation: {} } })
      asked.setRequestHandler("elicitation/create", () => ({ action: "accept", content: { name: "Ada" } }))
      const { client } = yield* connect(server.url, asked)
      assert.deepStrictEqual(yield* callTool(client, "ask_name"), { name: "Ada" })
    })
  )

  it.effect("messages are passed on as they are written, one a line", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const { headers } = yield* openSession(server.url)
      const unusual =
        '{"jsonrpc":"2.0",\n"id":1e0,"method":"emit","params":{"n":12345678901234567890},"extra":null}'
      const answers = yield* call(server.url, { headers, body: unusual })
      assert.strictEqual((yield* answers.next)?.id, 1)
      const received = yield* call(server.url, {
        headers,
        body: [request(2, "received"), { jsonrpc: "2.0", method: "notifications/y" }, request(3, "received")]
      })
      const batch = yield* received.rest
      assert.deepStrictEqual(
        batch.map(({ id }) => id),
        [2, 3]
      )
      const lines = batch[1]?.result?.["received"]
      assert.isTrue(Array.isArray(lines))
      assert.deepInclude(lines, unusual.replace("\n", " "))
      assert.deepInclude(lines, '{"jsonrpc":"2.0","method":"notifications/y"}')
    })
  )

  it.effect("notifications are answered with 202, and anything that is no message is refused", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const { headers } = yield* openSession(server.url)
      const notified = yield* call(server.url, {
        headers,
        body: { jsonrpc: "2.0", method: "notifications/y" }
      })
      assert.deepStrictEqual([notified.status, yield* notified.rest], [202, []])
      const garbled = yield* call(server.url, { headers, body: '{"jsonrpc":' })
      assert.deepStrictEqual([garbled.status, (yield* garbled.next)?.error?.code], [400, -32700])
      const noMessage = yield* call(server.url, { headers, body: { id: null, method: "x" } })
      assert.deepStrictEqual([noMessage.status, (yield* noMessage.next)?.error?.code], [400, -32600])
    })
  )

  it.effect("an id that is in use is refused", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const { headers } = yield* openSession(server.url)
      const twice = yield* call(server.url, {
        headers,
        body: [request(7, "silence"), request(7, "received"), request(8, "exit")]
      })
      assert.deepInclude(
        (yield* twice.rest).map(({ error, id }) => `${id} ${error?.code}`),
        "7 -32600"
      )
    })
  )

  it.effect("an id can be used again once its client has closed the connection", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const { headers } = yield* openSession(server.url)
      const abandoned = yield* Effect.forkChild(
        Effect.scoped(call(server.url, { headers, body: request(7, "silence") }))
      )
      yield* until(() => server.underWay() === 1)
      yield* Fiber.interrupt(abandoned)
      yield* server.settled
      const again = yield* call(server.url, { headers, body: request(7, "received") })
      assert.deepStrictEqual([again.status, (yield* again.next)?.id], [200, 7])
    })
  )

  it.effect("a session is hidden from all other clients", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const { headers } = yield* openSession(server.url, { "x-owner": "ada" })
      const statuses = yield* Effect.forEach(
        [
          call(server.url, { headers: { ...headers, "x-owner": "bob" }, body: request(1, "received") }),
          call(server.url, { headers: { ...headers, "x-owner": "bob" }, method: "DELETE" }),
          call(server.url, { headers: { ...headers, "x-owner": "bob" }, method: "GET" }),
          call(server.url, {
            headers: { ...headers, "mcp-session-id": "guess" },
            body: request(1, "received")
          }),
          call(server.url, { body: request(1, "received") }),
          call(server.url, { method: "GET" }),
          call(server.url, { headers, body: request(1, "received") })
        ],
        Effect.map(({ status }) => status)
      )
      assert.deepStrictEqual(statuses, [404, 404, 404, 404, 400, 405, 200])
    })
  )

  it.effect("no child is started without a token", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(Effect.fail("no token"))
      const refused = yield* openSession(server.url).pipe(Effect.exit)
      assert.strictEqual(refused._tag, "Failure")
      assert.strictEqual(server.starts(), 0)
      const again = yield* call(server.url, { body: request(1, "initialize") })
      assert.strictEqual(again.status, 500)
    })
  )

  it.effect("the client is told that the command cannot be run", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(Effect.succeed({ command: "/no/such/command", args: [], env: {} }))
      const refused = yield* openSession(server.url)
      assert.strictEqual(refused.status, 502)
      assert.strictEqual(refused.answer?.error?.code, -31002)
      assert.include(refused.answer?.error?.message, "fixture")
    })
  )

  it.effect("a session that the server did not accept is deleted", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(Effect.succeed(fixture("lineServer", { REFUSE: "yes" })))
      const { answer, headers } = yield* openSession(server.url)
      assert.strictEqual(answer?.error?.code, -32602)
      yield* server.settled
      const after = yield* call(server.url, { headers, body: request(1, "received") })
      assert.strictEqual(after.status, 404)
    })
  )
})
