import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { FetchResponse } from "../../../../packages/gateway-server/src/fetch/Fetch.ts"
import { judgeRefusal } from "../../../../packages/gateway-server/src/relay/session/SessionLoss.ts"
import { UpstreamFailed } from "../../../../packages/gateway-server/src/fetch/Fetch.ts"
import {
  begin,
  empty,
  event,
  events,
  FakeBody,
  initializeResult,
  json,
  makeStatefulServer,
  pass,
  refusedConnection,
  result,
  settle,
  startRelay
} from "./FakeServer.ts"

const rpcError = (message: string, code = -32000, id: unknown = null) => ({
  jsonrpc: "2.0",
  id,
  error: { code, message }
})

/** What real servers say of a session they do not know. */
const forgotten: ReadonlyArray<readonly [string, () => FetchResponse]> = [
  ["404", () => empty(404)],
  ["404 with a JSON-RPC error", () => json(rpcError("Session not found", -32001), 404)],
  ["410", () => empty(410)],
  ["No valid session ID provided", () => json(rpcError("Bad Request: No valid session ID provided"), 400)],
  ["Invalid or missing session ID", () => json({ error: "Invalid or missing session ID" }, 400)],
  ["plain text", () => json("Invalid or missing session ID", 400)],
  ["Unknown Mcp-Session-Id", () => json(rpcError("Bad Request: Unknown Mcp-Session-Id header"), 400)],
  [
    "Missing session ID",
    () => json(rpcError("Bad Request: Missing session ID", -32600, "server-error"), 400)
  ],
  ["Server not initialized", () => json(rpcError("Bad Request: Server not initialized"), 400)],
  ["a message in an object", () => json({ error: { message: "session expired" } }, 400)],
  ["an empty 400", () => empty(400)],
  ["401 of the Rust SDK", () => json("Unauthorized: Session not found", 401)],
  ["403 with a JSON-RPC error", () => json(rpcError("Mcp-Session-Id principal mismatch", -32001), 403)]
]

describe("a relay whose server forgets the session", () => {
  it.effect.each(forgotten)("begins one new session after %s, for many calls at once", ([, unknown]) =>
    Effect.gen(function* () {
      const server = makeStatefulServer({ unknown })
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      server.forget()
      for (const id of [1, 2, 3, 4, 5]) yield* client.send({ id, method: "tools/list" })
      yield* settle
      for (const id of [1, 2, 3, 4, 5])
        assert.deepStrictEqual(
          client.answersTo(id).map(({ result }) => result),
          [{ session: "s2" }]
        )
      assert.strictEqual(server.count("initialize"), 2)
      assert.strictEqual(server.count("notifications/initialized"), 2)
      assert.lengthOf(client.answersTo(0), 1)
    })
  )

  it.effect("passes on a 400 that is about something else, and keeps the session", () =>
    Effect.gen(function* () {
      const server = makeStatefulServer({
        handle: ({ message }) => {
          if (message.method === "session/close")
            return json(rpcError("The chat session is not found", -32602, message.id), 400)
          return message.method === "tools/call"
            ? json(rpcError("arguments are missing", -32602), 400)
            : undefined
        }
      })
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      yield* client.send({ id: 1, method: "tools/call", params: {} })
      yield* client.send({ id: 2, method: "session/close" })
      yield* client.send({ id: 3, method: "tools/list" })
      assert.strictEqual(client.answersTo(1)[0]?.error?.message, "arguments are missing")
      assert.strictEqual(client.answersTo(2)[0]?.error?.message, "The chat session is not found")
      assert.deepStrictEqual(client.answersTo(3)[0]?.result, { session: "s1" })
      assert.strictEqual(server.count("initialize"), 1)
    })
  )

  it.effect("says that no other session could be begun, to every call that waits for it", () =>
    Effect.gen(function* () {
      let isDown = false
      const server = makeStatefulServer({ initialize: () => (isDown ? refusedConnection : undefined) })
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      server.forget()
      isDown = true
      yield* client.send({ id: 1, method: "tools/list" })
      const [answer] = client.answersTo(1)
      assert.include(answer?.error?.message, "forgotten the session, and another one could not be begun")
      assert.include(answer?.error?.message, "connection refused")
      isDown = false
      yield* client.send({ id: 2, method: "tools/list" })
      assert.deepStrictEqual(client.answersTo(2)[0]?.result, { session: "s2" })
    })
  )

  it.effect("says so when the server refuses `initialize`", () =>
    Effect.gen(function* () {
      const server = makeStatefulServer({
        initialize: ({ message }, count) =>
          count === 1 ? undefined : json(rpcError("no more sessions", -32000, message.id))
      })
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      server.forget()
      yield* client.send({ id: 1, method: "tools/list" })
      assert.include(client.answersTo(1)[0]?.error?.message, "no more sessions")
    })
  )

  it.effect("goes on with the revision that the new session has agreed on", () =>
    Effect.gen(function* () {
      const server = makeStatefulServer({
        initialize: ({ message }, count) => {
          if (count === 1) return undefined
          server.live.add("old")
          return json(result(message.id, initializeResult("2025-03-26")), 200, { "mcp-session-id": "old" })
        }
      })
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      server.forget()
      yield* client.send({ id: 1, method: "tools/list" })
      assert.deepStrictEqual(client.answersTo(1)[0]?.result, { session: "old" })
      assert.strictEqual(server.requests.at(-1)?.headers["mcp-protocol-version"], "2025-03-26")
    })
  )

  it.effect("sets the log level and the subscriptions up again", () =>
    Effect.gen(function* () {
      const server = makeStatefulServer({})
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      yield* client.send({ id: 1, method: "logging/setLevel", params: { level: "info" } })
      yield* client.send({ id: 2, method: "logging/setLevel", params: { level: "debug" } })
      yield* client.send({ id: 3, method: "resources/subscribe", params: { uri: "a:1" } })
      yield* client.send({ id: 4, method: "resources/subscribe", params: { uri: "a:2" } })
      yield* client.send({ id: 5, method: "resources/unsubscribe", params: { uri: "a:1" } })
      server.forget()
      const before = server.requests.length
      yield* client.send({ id: 6, method: "tools/list" })
      yield* settle
      const told = server.requests
        .slice(before)
        .filter(({ headers }) => headers["mcp-session-id"] === "s2")
        .map(({ message }) => [message.method, message.params])
      assert.deepInclude(told, ["logging/setLevel", { level: "debug" }])
      assert.deepInclude(told, ["resources/subscribe", { uri: "a:2" }])
      assert.lengthOf(told, 4)
      assert.lengthOf(client.messages(), 7)
    })
  )

  it.effect("does not send an answer to a request of the lost session into the new one", () =>
    Effect.gen(function* () {
      const server = makeStatefulServer({})
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      server.forget()
      yield* client.send({ id: "of-the-server", result: {} })
      yield* client.send({ method: "notifications/roots/list_changed" })
      yield* settle
      const sent = server.requests.filter(({ headers }) => headers["mcp-session-id"] === "s2")
      assert.deepStrictEqual(
        sent.map(({ message }) => message.method),
        ["notifications/initialized", "notifications/roots/list_changed"]
      )
    })
  )

  it.effect("opens the stream of the server's own messages in the new session", () =>
    Effect.gen(function* () {
      const streams = new Map<string, FakeBody>()
      const server = makeStatefulServer({
        get: (_, session) => {
          const body = new FakeBody()
          streams.set(session, body)
          return events(body)
        }
      })
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      server.forget()
      streams.get("s1")?.break()
      yield* pass("1 second", 12)
      assert.deepStrictEqual([...streams.keys()], ["s1", "s2"])
      streams.get("s2")?.write(event({ method: "notifications/tools/list_changed" }))
      yield* settle
      assert.strictEqual(client.messages().at(-1)?.method, "notifications/tools/list_changed")
      assert.lengthOf(client.messages(), 2)
    })
  )

  it.effect("finds out at once that the session is lost when the stream is refused", () =>
    Effect.gen(function* () {
      const body = new FakeBody()
      const server = makeStatefulServer({ get: () => events(body) })
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      server.forget()
      body.break()
      yield* pass("1 second")
      assert.deepStrictEqual([...server.live], ["s2"])
    })
  )

  it.effect("keeps a session whose stream alone is gone", () =>
    Effect.gen(function* () {
      const bodies: Array<FakeBody> = []
      const server = makeStatefulServer({
        get: () => {
          if (bodies.length > 0) return empty(404)
          bodies.push(new FakeBody())
          return events(bodies[0] ?? new FakeBody())
        }
      })
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      bodies[0]?.break()
      yield* pass("10 seconds", 30)
      assert.strictEqual(server.count("initialize"), 1)
      assert.isAbove(server.count("GET"), 10)
    })
  )

  it("a refusal is judged by what the server says, not by its status alone", () => {
    const judge = (status: number, body: string, hasId = true) =>
      judgeRefusal(new UpstreamFailed({ kind: "Refused", problem: "", status, body }), hasId)
    assert.strictEqual(judge(404, ""), "Lost")
    assert.strictEqual(judge(404, "", false), "Other")
    assert.strictEqual(judge(404, JSON.stringify(rpcError("Method not found", -32601))), "Doubtful")
    assert.strictEqual(judge(400, "missing arguments"), "Other")
    assert.strictEqual(judge(400, "Server not initialized", false), "Doubtful")
    assert.strictEqual(judge(500, "session store down"), "Other")
    assert.strictEqual(judge(401, ""), "Other")
    assert.strictEqual(judge(403, "Forbidden"), "Other")
  })
})
