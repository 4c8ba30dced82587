import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import {
  ConnectionFailed,
  type Connect
} from "../../../../packages/gateway-server/src/jsonrpc/MessageConnection.ts"
import { serveConnections, until } from "./bridgeServer.ts"
import { call, openSession } from "./httpCall.ts"
import { answerByDefault, memoryServer, type MemoryServerOptions } from "./memoryServer.ts"

const request = (id: unknown, method: string, params: object = {}) => ({ jsonrpc: "2.0", id, method, params })
const initialized = '{"jsonrpc":"2.0","method":"notifications/initialized","params":{"x":1.0}}'

/** A session whose token is valid for a minute, with a server that says which of its connections answers. */
const agingSession = Effect.fnUntraced(function* (options: MemoryServerOptions = {}) {
  const memory = memoryServer({
    tokenLifetime: 60_000,
    onMessage: (message, peer) =>
      message["method"] === "which"
        ? peer.send({ id: message["id"], result: { connection: memory.peers.indexOf(peer) } })
        : answerByDefault(message, peer),
    ...options
  })
  const server = yield* serveConnections(memory.connect)
  const { headers } = yield* openSession(server.url)
  yield* call(server.url, { headers, body: initialized })
  const which = (id: unknown) =>
    Effect.gen(function* () {
      const answered = yield* call(server.url, { headers, body: request(id, "which") })
      return { status: answered.status, answer: yield* answered.next }
    })
  return { ...memory, server, headers, which }
})

describe("a session whose token expires", () => {
  it.effect("its server is started anew, is told what the client told it, and the session goes on", () =>
    Effect.gen(function* () {
      const { headers, peers, server, which } = yield* agingSession()
      for (const body of [
        request(10, "logging/setLevel", { level: "debug" }),
        request(11, "resources/subscribe", { uri: "a" }),
        request(12, "resources/subscribe", { uri: "b" }),
        request(13, "resources/unsubscribe", { uri: "a" })
      ])
        yield* Effect.forkChild(call(server.url, { headers, body }))
      yield* until(() => peers[0]?.received.length === 6)
      for (const { id } of peers[0]?.received.slice(2) ?? []) peers[0]?.send({ id, result: {} })
      const stream = yield* call(server.url, { method: "GET", headers })
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual((yield* which(20)).answer?.result?.["connection"], 0)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* which(21)).answer?.result?.["connection"], 1)
      assert.isTrue(peers[0]?.isStopped())
      const [initialize, told, ...repeated] = peers[1]?.received ?? []
      assert.notStrictEqual(initialize?.["id"], 0)
      assert.deepStrictEqual(
        { ...initialize, id: 0, text: undefined },
        { ...peers[0]?.received[0], id: 0, text: undefined }
      )
      assert.strictEqual(told?.text, initialized)
      assert.deepStrictEqual(
        repeated.map(({ method, params }) => [method, params]),
        [
          ["logging/setLevel", { level: "debug" }],
          ["resources/subscribe", { uri: "b" }],
          ["which", {}]
        ]
      )
      const changed = [yield* stream.next, yield* stream.next]
      assert.deepStrictEqual(
        changed.map((message) => message?.method),
        ["notifications/tools/list_changed", "notifications/resources/list_changed"]
      )
      for (const { id, method } of repeated) if (method !== "which") peers[1]?.send({ id, result: {} })
      assert.strictEqual((yield* which(22)).answer?.result?.["connection"], 1)
      assert.deepStrictEqual(peers[1]?.unexpected, [])
    })
  )

  it.effect("a request under way is answered first, and new ones wait for it and for the new start", () =>
    Effect.gen(function* () {
      const { headers, peers, server, which } = yield* agingSession()
      const slow = yield* Effect.forkChild(call(server.url, { headers, body: request(1, "slow") }))
      yield* until(() => peers[0]?.received.length === 3)
      yield* TestClock.adjust("1 minute")
      const waiting = yield* Effect.forEach([2, 3, 4], (id) => Effect.forkChild(which(id)))
      yield* until(() => server.underWay() === 4)
      // What is no request still reaches the server that the request under way belongs to.
      yield* call(server.url, { headers, body: { jsonrpc: "2.0", id: "asked", result: {} } })
      assert.strictEqual(peers[0]?.received.at(-1)?.["id"], "asked")
      assert.lengthOf(peers, 1)
      peers[0]?.send({ id: 1, result: { done: true } })
      assert.deepStrictEqual((yield* (yield* Fiber.join(slow)).rest).at(-1)?.result, { done: true })
      const answers = yield* Effect.forEach(waiting, Fiber.join)
      assert.deepStrictEqual(
        answers.map(({ answer }) => answer?.result?.["connection"]),
        [1, 1, 1]
      )
      assert.lengthOf(peers, 2)
    })
  )

  it.effect("a request that takes too long holds new ones up for 30 seconds and no longer", () =>
    Effect.gen(function* () {
      const { headers, peers, server, which } = yield* agingSession()
      yield* Effect.forkChild(call(server.url, { headers, body: request(1, "slow") }))
      yield* until(() => peers[0]?.received.length === 3)
      yield* TestClock.adjust("1 minute")
      const waiting = yield* Effect.forkChild(which(2))
      yield* until(() => server.underWay() === 2)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* Fiber.join(waiting)).answer?.result?.["connection"], 0)
      assert.isTrue(server.logs.some((line) => line.includes("not started anew yet")))
      assert.strictEqual((yield* which(3)).answer?.result?.["connection"], 0)
      peers[0]?.send({ id: 1, result: {} })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* which(4)).answer?.result?.["connection"], 1)
    })
  )

  it.effect("a question of the old server is cancelled, and the answer to it reaches no other", () =>
    Effect.gen(function* () {
      const { headers, peers, server, which } = yield* agingSession()
      const stream = yield* call(server.url, { method: "GET", headers })
      peers[0]?.send({ id: 5, method: "elicitation/create" })
      assert.strictEqual((yield* stream.next)?.id, 5)
      yield* TestClock.adjust("1 minute")
      yield* which(1)
      const cancelled = yield* stream.next
      assert.deepStrictEqual(
        [cancelled?.method, cancelled?.params?.["requestId"]],
        ["notifications/cancelled", 5]
      )
      const late = yield* call(server.url, { headers, body: { jsonrpc: "2.0", id: 5, result: {} } })
      assert.strictEqual(late.status, 202)
      assert.isFalse(peers[1]?.received.some(({ id }) => id === 5))
      // The new server may ask under the same id.
      peers[1]?.send({ id: 5, method: "elicitation/create" })
      yield* call(server.url, { headers, body: { jsonrpc: "2.0", id: 5, result: { mine: true } } })
      yield* until(() => peers[1]?.received.at(-1)?.["id"] === 5)
    })
  )

  it.effect(
    "if the server cannot be started anew the requests that wait get an error, and the session ends",
    () =>
      Effect.gen(function* () {
        const refusals: ReadonlyArray<[(memory: Connect<never>) => Connect<"no token">, number, string]> = [
          [() => () => Effect.fail("no token"), 500, ""],
          [
            () => () =>
              Effect.fail(new ConnectionFailed({ serverName: "fixture", problem: "No such command" })),
            502,
            "No such command"
          ]
        ]
        for (const [second, status, problem] of refusals) {
          const memory = memoryServer({ tokenLifetime: 60_000 })
          let starts = 0
          const server = yield* serveConnections((onMessage) => {
            starts += 1
            return starts === 1 ? memory.connect(onMessage) : second(memory.connect)(onMessage)
          })
          const { headers } = yield* openSession(server.url)
          yield* TestClock.adjust("1 minute")
          const failed = yield* call(server.url, { headers, body: request(1, "which") })
          assert.strictEqual(failed.status, status)
          assert.include(yield* failed.text, problem)
          const after = yield* call(server.url, { headers, body: request(2, "which") })
          assert.strictEqual(after.status, 404)
        }
      })
  )

  it.effect(
    "a server that does not accept `initialize` again, or ends, ends the session with an error that says so",
    () =>
      Effect.gen(function* () {
        const ways = [
          { how: "refuse", includes: "did not accept" },
          { how: "end", includes: "exited with code 9" },
          { how: "silence", includes: "gave no answer within 60 seconds" }
        ]
        for (const { how, includes } of ways) {
          const { peers, which } = yield* agingSession({
            onMessage: (message, peer) => {
              const isAgain = message["method"] === "initialize" && message["id"] !== 0
              if (!isAgain) return answerByDefault(message, peer)
              if (how === "end") peer.end("exited with code 9")
              if (how === "refuse") peer.send({ id: message["id"], error: { code: -32602, message: "no" } })
            }
          })
          yield* TestClock.adjust("1 minute")
          const asking = yield* Effect.forkChild(which(1))
          yield* until(() => peers[1]?.received.length === 1)
          if (how === "silence") yield* TestClock.adjust("1 minute")
          const { answer } = yield* Fiber.join(asking)
          assert.deepStrictEqual([answer?.id, answer?.error?.code], [1, -31002], how)
          assert.include(answer?.error?.message, includes)
          assert.strictEqual((yield* which(2)).status, 404)
        }
      })
  )
})
