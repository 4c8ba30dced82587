import { assert, describe, it } from "@effect/vitest"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { request } from "node:http"
import { fixture, isRunning, serveBridge, until } from "./bridgeServer.ts"
import { call, openSession, statelessCall, statelessRequest, type Message } from "./httpCall.ts"

type Mode = "auto" | { readonly pin: "2026-07-28" }

const connect = (url: URL, mode: Mode = { pin: "2026-07-28" }, headers: Record<string, string> = {}) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } })
      await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }))
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

const callTool = (client: Client, name: string, onprogress?: (message: string | undefined) => void) =>
  Effect.promise(async () => {
    const { content } = await client.callTool(
      { name, arguments: {} },
      onprogress === undefined ? {} : { onprogress: ({ message }) => onprogress(message) }
    )
    return JSON.parse(content[0]?.type === "text" ? content[0].text : "null")
  })

const sdkServer = Effect.succeed(fixture("sdkServer"))
const lineServer = Effect.succeed(fixture("lineServer"))
const line = (message: object) => JSON.stringify({ jsonrpc: "2.0", ...message })
const subscriptionId = "io.modelcontextprotocol/subscriptionId"
const logLevel = "io.modelcontextprotocol/logLevel"

const receivedMessages = (answer: Message | undefined): ReadonlyArray<Message> => {
  const lines = answer?.result?.["received"]
  return Array.isArray(lines) ? lines.map((text) => JSON.parse(text)) : []
}

/** Asks until the answer is the one waited for. */
const untilAnswer = <A, E, R>(ask: Effect.Effect<A, E, R>, isRight: (answer: A) => boolean) =>
  Effect.repeat(ask, { until: isRight })

describe("the stateless revision of a stdio server", () => {
  it.effect("clients share one child, even with equal request ids", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(sdkServer)
      const answers = yield* Effect.forEach(
        Array.from({ length: 20 }),
        () =>
          Effect.gen(function* () {
            const client = yield* connect(server.url)
            const heard: Array<string | undefined> = []
            yield* callTool(client, "count_aloud", (message) => heard.push(message))
            const { calls, pid } = yield* callTool(client, "count_calls")
            return { heard: heard.length, calls: Number(calls), pid: Number(pid) }
          }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        answers.map(({ calls }) => calls).sort((a, b) => a - b),
        Array.from({ length: 20 }, (_, index) => index + 1)
      )
      assert.deepStrictEqual(new Set(answers.map(({ heard }) => heard)), new Set([3]))
      assert.strictEqual(new Set(answers.map(({ pid }) => pid)).size, 1)
      assert.strictEqual(server.starts(), 1)
    })
  )

  it.effect("each client gets back its own ids and progress tokens", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const lines = [
        '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":$token,"progress":1}}'
      ]
      const progress = yield* statelessCall(server.url, "same", "emit", { lines }, { progressToken: "same" })
      assert.strictEqual(progress.headers.get("x-accel-buffering"), "no")
      const [first, answer] = yield* progress.rest
      assert.deepStrictEqual(first?.params, { progressToken: "same", progress: 1 })
      assert.strictEqual(answer?.id, "same")
      const plain = yield* statelessCall(server.url, "same", "emit")
      assert.isFalse(plain.isEventStream)
      assert.strictEqual((yield* plain.next)?.id, "same")
    })
  )

  it.effect("a request is cancelled when its client closes the connection", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(sdkServer)
      const client = yield* connect(server.url)
      const controller = new AbortController()
      const waiting = client.callTool({ name: "wait", arguments: {} }, { signal: controller.signal })
      const outcome = waiting.then(
        () => "answered",
        () => "aborted"
      )
      yield* untilAnswer(callTool(client, "count_calls"), ({ waiting }) => waiting === 1)
      controller.abort()
      assert.strictEqual(yield* Effect.promise(() => outcome), "aborted")
      yield* untilAnswer(callTool(client, "count_calls"), ({ cancelled }) => cancelled === 1)
    })
  )

  it.effect("a cancellation has the id that the child was sent", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const received = statelessCall(server.url, "mine", "received").pipe(
        Effect.flatMap(({ next }) => next),
        Effect.map((answer) => receivedMessages(answer))
      )
      const open = yield* Effect.forkChild(Effect.scoped(statelessCall(server.url, "mine", "silence")))
      const before = yield* untilAnswer(received, (messages) =>
        messages.some(({ method }) => method === "silence")
      )
      yield* Fiber.interrupt(open)
      const after = yield* untilAnswer(received, (messages) =>
        messages.some(({ method }) => method === "notifications/cancelled")
      )
      const cancelled = after.find(({ method }) => method === "notifications/cancelled")
      assert.strictEqual(
        cancelled?.params?.["requestId"],
        before.find(({ method }) => method === "silence")?.id
      )
    })
  )

  it.effect("a subscription stays open, and its messages carry its id", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(sdkServer)
      const listening = yield* statelessCall(server.url, "sub", "subscriptions/listen", {
        notifications: { toolsListChanged: true }
      })
      assert.isTrue(listening.isEventStream)
      const acknowledged = yield* listening.next
      assert.strictEqual(acknowledged?.method, "notifications/subscriptions/acknowledged")
      assert.deepInclude(acknowledged?.params?.["_meta"], { [subscriptionId]: "sub" })
      yield* callTool(yield* connect(server.url), "change_tools")
      const changed = yield* listening.next
      assert.strictEqual(changed?.method, "notifications/tools/list_changed")
      assert.deepInclude(changed?.params?.["_meta"], { [subscriptionId]: "sub" })
    })
  )

  it.effect("a log message goes to its only reader, or to no client in case of doubt", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const lines = [line({ method: "notifications/message", params: { level: "info", data: "hello" } })]
      const read = yield* statelessCall(server.url, 1, "emit", { lines }, { [logLevel]: "info" })
      assert.deepStrictEqual(
        (yield* read.rest).map(({ method }) => method),
        ["notifications/message", undefined]
      )
      const unread = yield* statelessCall(server.url, 2, "emit", { lines })
      assert.isFalse(unread.isEventStream)
    })
  )

  it.effect("a client that does not read is cut off, and no other client waits for it", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const data = "x".repeat(64 * 1024)
      const lines = Array.from({ length: 640 }, () =>
        line({ method: "notifications/message", params: { data } })
      )
      const begun = yield* Deferred.make<void>()
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const { headers, ...body } = statelessRequest(1, "emit", { lines }, { [logLevel]: "debug" })
          const client = request(server.url, { method: "POST", headers }, (response) => {
            response.pause()
            Deferred.doneUnsafe(begun, Effect.void)
          })
          client.on("error", () => {})
          return client.end(JSON.stringify(body))
        }),
        (client) => Effect.sync(() => client.destroy())
      )
      yield* Deferred.await(begun)
      yield* server.settled
      const other = yield* statelessCall(server.url, 2, "environment")
      assert.strictEqual(other.status, 200)
      assert.strictEqual(server.starts(), 1)
    })
  )

  it.effect("an error is answered with its own HTTP status", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(sdkServer)
      const unknown = yield* statelessCall(server.url, 1, "no/such/method")
      assert.deepStrictEqual([unknown.status, (yield* unknown.next)?.error?.code], [404, -32601])
      // The SDK looks at the revision of the first request only.
      const another = yield* serveBridge(sdkServer)
      const { headers, ...body } = statelessRequest(2, "tools/list", {}, {}, "1900-01-01")
      const old = yield* call(another.url, { headers, body })
      assert.deepStrictEqual([old.status, (yield* old.next)?.error?.code], [400, -32022])
    })
  )

  it.effect("a child that is asked for a revision it does not list is not said to support it", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(sdkServer)
      // Looking at the first request only, the SDK answers this one with the revisions that it has.
      yield* (yield* statelessCall(server.url, 1, "tools/list")).rest
      const { headers, ...body } = statelessRequest(2, "server/discover", {}, {}, "1900-01-01")
      const discovered = yield* call(server.url, { headers, body })
      assert.strictEqual(discovered.status, 400)
      const answer = yield* discovered.next
      assert.strictEqual(answer?.id, 2)
      assert.deepStrictEqual(answer?.error, {
        code: -32022,
        message: "Unsupported protocol version: 1900-01-01",
        data: { supported: ["2026-07-28"], requested: "1900-01-01" }
      })
    })
  )

  it.effect("a request that declares no revision in its `_meta` has invalid parameters", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const { headers, params: _, ...body } = statelessRequest(1, "tools/list")
      const answers = yield* Effect.forEach([{}, { params: { _meta: {} } }], (rest) =>
        Effect.gen(function* () {
          const answer = yield* call(server.url, { headers, body: { ...body, ...rest } })
          return [answer.status, (yield* answer.next)?.error?.code]
        })
      )
      assert.deepStrictEqual(answers, [
        [400, -32602],
        [400, -32602]
      ])
    })
  )

  it.effect("headers that differ from the body are refused", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const statuses = yield* Effect.forEach(
        [
          statelessCall(server.url, 1, "tools/call", { name: "a" }, {}, { "mcp-name": "b" }),
          statelessCall(server.url, 1, "tools/call", { name: "a" }),
          statelessCall(server.url, 1, "tools/list", {}, {}, { "mcp-method": "tools/call" }),
          statelessCall(server.url, 1, "tools/list", {}, {}, { "mcp-protocol-version": "2025-11-25" })
        ],
        Effect.fnUntraced(function* (calling) {
          const refused = yield* calling
          return [refused.status, (yield* refused.next)?.error?.code]
        })
      )
      assert.deepStrictEqual(
        statuses,
        Array.from({ length: 4 }, () => [400, -32020])
      )
      assert.strictEqual(server.starts(), 0)
      const encoded = `=?base64?${Buffer.from("ä").toString("base64")}?=`
      const accepted = yield* statelessCall(
        server.url,
        1,
        "tools/call",
        { name: "ä" },
        {},
        { "mcp-name": encoded }
      )
      assert.strictEqual((yield* accepted.next)?.error?.code, -32601)
    })
  )

  it.effect("owners never share a child", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(sdkServer)
      const pids = yield* Effect.forEach(["ada", "bob", "ada"], (owner) =>
        Effect.gen(function* () {
          const client = yield* connect(server.url, undefined, { "x-owner": owner })
          const { pid } = yield* callTool(client, "count_calls")
          return Number(pid)
        })
      )
      assert.strictEqual(pids[0], pids[2])
      assert.notStrictEqual(pids[0], pids[1])
    })
  )

  it.effect("another child starts when the first has ended, and the open requests are answered", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const crashed = yield* statelessCall(server.url, 1, "exit")
      assert.deepStrictEqual([crashed.status, (yield* crashed.next)?.error?.code], [502, -31002])
      const next = yield* statelessCall(server.url, 1, "received")
      assert.strictEqual(next.status, 200)
      assert.strictEqual(server.starts(), 2)
    })
  )

  it.effect("a child whose token has expired is replaced once its requests are answered", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(
        Effect.map(Clock.currentTimeMillis, (now) => ({ ...fixture("sdkServer"), expiresAt: now + 60_000 }))
      )
      const pid = Effect.flatMap(connect(server.url), (client) =>
        Effect.map(callTool(client, "count_calls"), (answer) => Number(answer.pid))
      )
      const first = yield* pid
      assert.strictEqual(yield* pid, first)
      const open = yield* statelessCall(server.url, "sub", "subscriptions/listen", {
        notifications: { toolsListChanged: true }
      })
      yield* open.next
      yield* TestClock.adjust("1 minute")
      const pids = yield* Effect.all([pid, pid, pid], { concurrency: "unbounded" })
      assert.strictEqual(new Set(pids).size, 1)
      assert.notStrictEqual(pids[0], first)
      assert.isTrue(isRunning(first))
      yield* open.abort
      yield* until(() => !isRunning(first))
    })
  )

  it.effect("a client is told to initialize when the server supports only sessions", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const client = yield* connect(server.url, "auto")
      assert.strictEqual(client.getServerVersion()?.name, "lines")
      const probe = yield* statelessCall(server.url, 1, "server/discover")
      assert.strictEqual(probe.status, 400)
    })
  )

  it.effect("the stateless revision has neither sessions nor streams nor batches", () =>
    Effect.gen(function* () {
      const server = yield* serveBridge(lineServer)
      const { headers } = yield* openSession(server.url)
      const version = { "mcp-protocol-version": "2026-07-28" }
      const batch = yield* call(server.url, {
        headers: version,
        body: [{ jsonrpc: "2.0", id: 1, method: "received" }]
      })
      assert.strictEqual(batch.status, 400)
      const get = yield* call(server.url, { method: "GET", headers: version })
      assert.strictEqual(get.status, 405)
      const notified = yield* call(server.url, {
        headers: version,
        body: { jsonrpc: "2.0", method: "notifications/x" }
      })
      assert.strictEqual(notified.status, 202)
      const ignoring = yield* statelessCall(server.url, 1, "received", {}, {}, headers)
      const { result } = (yield* ignoring.next) ?? {}
      assert.isFalse(JSON.stringify(result).includes("initialize"))
    })
  )
})
