import { assert, describe, it } from "@effect/vitest"
import { defaultLimits } from "@secure-mcp/transport-injection"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { vi } from "vitest"
import * as HttpBridge from "../../../../packages/gateway-server/src/bridge/HttpBridge.ts"
import type { JsonObject } from "../../../../packages/gateway-server/src/jsonrpc/JsonRpc.ts"
import { memoryHttp, settle } from "./memoryHttp.ts"
import { answerByDefault, memoryServer, type Peer } from "./memoryServer.ts"

/** A session with a server that answers `quick`, and nothing else, at once; and what was passed on without a fiber. */
const openSession = Effect.gen(function* () {
  const { connect, peers } = memoryServer({
    onMessage: (message: JsonObject, peer: Peer) =>
      message["method"] === "quick"
        ? peer.send({ id: message["id"], result: { quick: true } })
        : answerByDefault({ ...message, text: "" }, peer)
  })
  const bridge = yield* HttpBridge.make({
    serverName: "memory",
    connect: () => connect,
    limits: defaultLimits,
    startTimeout: Duration.seconds(60)
  })
  const direct: Array<string> = []
  const http = yield* memoryHttp((request, response, body) =>
    Effect.callback<void>((resume) => {
      const owner = request.headers["x-owner"]?.toString()
      const to = { response, ownHeaders: ["vary", "Origin"] }
      if (bridge.handleNow(request, to, body, owner, () => resume(Effect.void))) direct.push(body.toString())
      else resume(bridge.handle(request, response, body, owner))
    })
  )
  const begun = http("POST", {}, { jsonrpc: "2.0", id: 0, method: "initialize", params: {} })
  yield* settle
  const headers = { "mcp-session-id": begun.sessionId() ?? "" }
  const post = (message: object, more: Record<string, string> = {}) =>
    Effect.map(
      Effect.sync(() => http("POST", { ...headers, ...more }, { jsonrpc: "2.0", ...message })),
      (exchange) => exchange
    ).pipe(Effect.tap(settle))
  // The first one after `initialize` makes the bridge hold the session.
  yield* post({ method: "notifications/initialized" })
  const [peer] = peers
  assert.isDefined(peer)
  return { post, direct, peer }
})

describe("a request in a session whose server can take it at once", () => {
  it.effect("a request in a session is passed on and answered without a fiber", () =>
    Effect.gen(function* () {
      const { direct, post } = yield* openSession
      for (const id of [1, 2, 3]) {
        const exchange = yield* post({ id, method: "quick" })
        assert.deepStrictEqual(
          exchange.messages().map((message) => [message.id, message.result]),
          [[id, { quick: true }]]
        )
        assert.deepStrictEqual([exchange.status(), exchange.isOver()], [200, true])
      }
      assert.lengthOf(direct, 3)
    })
  )

  it.effect("another person's request in the session is not passed on", () =>
    Effect.gen(function* () {
      const { direct, peer, post } = yield* openSession
      const exchange = yield* post({ id: 1, method: "quick" }, { "x-owner": "Mallory" })
      assert.strictEqual(exchange.status(), 404)
      assert.lengthOf(direct, 0)
      assert.isFalse(peer.received.some(({ method }) => method === "quick"))
    })
  )

  it.effect("a request without a fiber whose client leaves is cancelled", () =>
    Effect.gen(function* () {
      const { direct, peer, post } = yield* openSession
      const exchange = yield* post({ id: "slow", method: "slow" })
      assert.lengthOf(direct, 1)
      exchange.close()
      yield* settle
      const last = peer.received.at(-1)
      assert.strictEqual(last?.["method"], "notifications/cancelled")
      assert.propertyVal(last?.["params"], "requestId", "slow")
    })
  )

  it.effect("what the server says before its answer comes before it, in an event stream", () =>
    Effect.gen(function* () {
      const { peer, post } = yield* openSession
      const exchange = yield* post({ id: 1, method: "slow", params: { _meta: { progressToken: 7 } } })
      peer.send({ method: "notifications/progress", params: { progressToken: 7, progress: 1 } })
      peer.send({ id: 1, result: { done: true } })
      yield* settle
      assert.deepStrictEqual(
        exchange.messages().map(({ id, method }) => method ?? id),
        ["notifications/progress", 1]
      )
      assert.isTrue(exchange.isOver())
    })
  )

  it.effect("an id that is under way without a fiber is refused a second time", () =>
    Effect.gen(function* () {
      const { post } = yield* openSession
      yield* post({ id: 1, method: "slow" })
      const second = yield* post({ id: 1, method: "quick" })
      assert.strictEqual(second.status(), 400)
      assert.include(second.messages()[0]?.error?.message, "under way")
    })
  )

  it.effect("a request without a fiber is an error when the server ends before its answer", () =>
    Effect.gen(function* () {
      const { peer, post } = yield* openSession
      const exchange = yield* post({ id: 1, method: "slow" })
      peer.end("exited with code 3")
      yield* settle
      assert.strictEqual(exchange.status(), 502)
      assert.include(exchange.messages()[0]?.error?.message, "exited with code 3")
    })
  )

  it.effect("a response on which nothing was sent for 15 seconds becomes an event stream", () =>
    Effect.gen(function* () {
      yield* Effect.acquireRelease(
        Effect.sync(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })),
        () => Effect.sync(() => vi.useRealTimers())
      )
      const { direct, peer, post } = yield* openSession
      const exchange = yield* post({ id: 1, method: "slow" })
      assert.lengthOf(direct, 1)
      vi.advanceTimersByTime(14_999)
      yield* settle
      assert.isUndefined(exchange.status())
      vi.advanceTimersByTime(1)
      yield* settle
      assert.strictEqual(exchange.status(), 200)
      assert.isFalse(exchange.isOver())
      peer.send({ id: 1, result: { late: true } })
      yield* settle
      assert.deepStrictEqual(exchange.messages()[0]?.result, { late: true })
      assert.isTrue(exchange.isOver())
    })
  )
})
