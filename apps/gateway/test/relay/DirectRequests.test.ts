import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { PassThrough } from "node:stream"
import type { Fetch, FetchNow, FetchRequest } from "../../../../packages/gateway-server/src/fetch/Fetch.ts"
import { makeHttpSession } from "../../../../packages/gateway-server/src/relay/session/HttpSession.ts"
import { relay } from "../../../../packages/gateway-server/src/relay/StdioRelay.ts"
import {
  begin,
  json,
  limits,
  makeFakeServer,
  makeStatefulServer,
  result,
  settle,
  startRelay
} from "./FakeServer.ts"

/** A request of 9,000 bytes, of which there is room for five. */
const long = (id: number) => ({ id, method: "x", params: { text: "x".repeat(9000) } })

/** What never answers a request that is sent without a fiber, and how many connections were closed. */
const makeSilentFetch = () => {
  const state = { sent: 0, closed: 0 }
  const now: FetchNow = () => {
    state.sent += 1
    return { abort: () => (state.closed += 1) }
  }
  const { fetch } = makeFakeServer(({ message }) => json(result(message.id)))
  const silent: Fetch = Object.assign((request: FetchRequest) => fetch(request), { now })
  return { fetch: silent, state }
}

describe("a request that can be sent at once", () => {
  it.effect("a request with a short answer is relayed without a fiber once the session is there", () =>
    Effect.gen(function* () {
      const server = makeStatefulServer({})
      let withFibers = 0
      const send = (request: FetchRequest) => {
        withFibers += 1
        return server.fetch(request)
      }
      const client = yield* startRelay(Object.assign(send, server.fetch))
      yield* begin(client)
      const before = withFibers
      for (const id of [1, 2, 3]) yield* client.send({ id, method: "tools/call" })
      for (const id of [1, 2, 3]) assert.deepStrictEqual(client.answersTo(id)[0]?.result, { session: "s1" })
      assert.strictEqual(withFibers, before)
    })
  )

  it.effect("a request does not overtake a notification that the client sent before it", () =>
    Effect.gen(function* () {
      const server = makeStatefulServer({})
      const client = yield* startRelay(server.fetch)
      yield* begin(client)
      const lines = [{ method: "n/1" }, { id: 1, method: "r/1" }, { method: "n/2" }, { id: 2, method: "r/2" }]
      yield* client.send(lines.map((line) => JSON.stringify({ jsonrpc: "2.0", ...line })).join("\n"))
      assert.deepStrictEqual(
        server.requests.slice(-4).map(({ message }) => message.method),
        ["n/1", "r/1", "n/2", "r/2"]
      )
    })
  )

  it.effect(
    "a request that is cancelled closes its connection, gives its room back, and its id is free",
    () =>
      Effect.gen(function* () {
        const { fetch, state } = makeSilentFetch()
        const client = yield* startRelay(fetch)
        for (let count = 1; count <= 20; count += 1) {
          yield* client.send(long(1))
          yield* client.send({ method: "notifications/cancelled", params: { requestId: 1 } })
          assert.deepStrictEqual(state, { sent: count, closed: count })
        }
        assert.lengthOf(client.answersTo(1), 0)
      })
  )

  it.effect("the end of the relay closes the connections of requests that have no answer", () =>
    Effect.gen(function* () {
      const { fetch, state } = makeSilentFetch()
      const client = yield* startRelay(fetch)
      for (const id of [1, 2, 3]) yield* client.send({ id, method: "x" })
      yield* client.stop
      assert.deepStrictEqual(state, { sent: 3, closed: 3 })
    })
  )

  it.effect(
    "a client that does not read its answers is not read on, and gets all of them once it reads",
    () =>
      Effect.gen(function* () {
        const server = makeFakeServer(({ message }) => json(result(message.id, message.params)))
        const input = new PassThrough()
        const output = new PassThrough({ highWaterMark: 10 })
        const connect = (deliver: Parameters<typeof makeHttpSession>[0]["deliver"]) =>
          makeHttpSession({ fetch: server.fetch, deliver, messageBytes: limits.messageBytes })
        yield* Effect.forkScoped(Effect.scoped(relay({ input, output, connect, limits })))
        for (let id = 1; id <= 40; id += 1) {
          input.write(`${JSON.stringify({ jsonrpc: "2.0", ...long(id) })}\n`)
          yield* settle
        }
        assert.isAtMost(server.requests.length, 8)
        let read = ""
        output.on("data", (chunk) => (read += String(chunk)))
        for (let turn = 0; turn < 20; turn += 1) yield* settle
        const ids = read
          .trim()
          .split("\n")
          .map((line): unknown => JSON.parse(line).id)
        assert.sameMembers(
          ids,
          Array.from({ length: 40 }, (_, index) => index + 1)
        )
        assert.lengthOf(ids, 40)
      })
  )
})
