import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { serveConnections, until } from "./bridgeServer.ts"
import { statelessCall } from "./httpCall.ts"
import { answerByDefault, memoryServer } from "./memoryServer.ts"

describe("server/discover to a server of an unknown age", () => {
  it.effect("a client is told to initialize when a server answers a ping but not server/discover", () =>
    Effect.gen(function* () {
      const { connect, peers } = memoryServer()
      const server = yield* serveConnections(connect)
      const probing = yield* Effect.forkChild(statelessCall(server.url, "d", "server/discover"))
      yield* until(() => peers[0]?.received.length === 1)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(
        peers[0]?.received.map(({ method }) => method),
        ["server/discover", "ping"]
      )
      yield* TestClock.adjust("5 seconds")
      const probe = yield* Fiber.join(probing)
      assert.strictEqual(probe.status, 400)
      const answer = yield* probe.next
      assert.deepStrictEqual([answer?.id, answer?.error?.code], ["d", -32601])
      assert.include(answer?.error?.message, "server/discover")
      assert.deepStrictEqual(peers[0]?.unexpected, [])
    })
  )

  it.effect("a server that has answered before is given five seconds", () =>
    Effect.gen(function* () {
      const { connect, peers } = memoryServer({
        onMessage: ({ id, method }, peer) =>
          method === "server/discover" ? undefined : peer.send({ id, result: {} })
      })
      const server = yield* serveConnections(connect)
      yield* (yield* statelessCall(server.url, 1, "tools/list")).rest
      const probing = yield* Effect.forkChild(statelessCall(server.url, 2, "server/discover"))
      yield* until(() => peers[0]?.received.length === 2)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(probing)).status, 400)
      assert.isFalse(peers[0]?.received.some(({ method }) => method === "ping"))
    })
  )

  it.effect("a server that starts slowly is waited for", () =>
    Effect.gen(function* () {
      const { connect, peers } = memoryServer({ onMessage: () => {} })
      const server = yield* serveConnections(connect)
      const probing = yield* Effect.forkChild(statelessCall(server.url, 1, "server/discover"))
      yield* until(() => peers[0]?.received.length === 1)
      yield* TestClock.adjust("14 seconds")
      for (const { id } of peers[0]?.received ?? [])
        peers[0]?.send({ id, result: { supportedVersions: ["2026-07-28"] } })
      const probe = yield* Fiber.join(probing)
      assert.strictEqual(probe.status, 200)
      assert.deepStrictEqual((yield* probe.next)?.result, { supportedVersions: ["2026-07-28"] })
    })
  )

  it.effect("a server that never answers anything is stopped after the start timeout", () =>
    Effect.gen(function* () {
      const { connect, peers } = memoryServer({ onMessage: () => {} })
      const server = yield* serveConnections(connect, { startTimeout: 8 })
      const probing = yield* Effect.forkChild(statelessCall(server.url, 1, "server/discover"))
      yield* until(() => peers[0]?.received.length === 1)
      yield* TestClock.adjust("8 seconds")
      const probe = yield* Fiber.join(probing)
      assert.strictEqual(probe.status, 400)
      const message = (yield* probe.next)?.error?.message
      assert.include(message, '"fixture"')
      assert.include(message, "8 seconds (`start_timeout_seconds`)")
      assert.isTrue(peers[0]?.isStopped())
    })
  )

  it.effect("a server that ends at server/discover sends its client to initialize, however often", () =>
    Effect.gen(function* () {
      const { connect, peers } = memoryServer({
        onMessage: (message, peer) =>
          message["method"] === "server/discover"
            ? peer.end("exited with code 1")
            : answerByDefault(message, peer)
      })
      const server = yield* serveConnections(connect)
      const statuses = yield* Effect.forEach([1, 2, 3, 4, 5], (id) =>
        Effect.map(statelessCall(server.url, id, "server/discover"), ({ status }) => status)
      )
      assert.deepStrictEqual(statuses, [400, 400, 400, 400, 400])
      // It is not started for each of them.
      assert.lengthOf(peers, 3)
    })
  )
})
