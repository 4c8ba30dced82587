import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { makeFallbackSession } from "../../../../packages/gateway-server/src/relay/session/FallbackSession.ts"
import { makeHttpSession } from "../../../../packages/gateway-server/src/relay/session/HttpSession.ts"
import type { Deliver } from "../../../../packages/gateway-server/src/relay/session/ServerSession.ts"
import { makeSseSession } from "../../../../packages/gateway-server/src/relay/session/SseSession.ts"
import { connectSse, opensSse } from "../../../../packages/gateway-server/src/sse/SseConnection.ts"
import { makeSseServer } from "../sse/FakeSseServer.ts"
import {
  begin,
  empty,
  event,
  initialize,
  json,
  limits,
  makeFakeServer,
  makeStatefulServer,
  pass,
  refusedConnection,
  result,
  settle,
  startRelay
} from "./FakeServer.ts"

const { messageBytes } = limits

/** A relay in front of a server of HTTP+SSE. */
const startSse = (server: ReturnType<typeof makeSseServer>) =>
  startRelay(server.fetch, (deliver) =>
    makeSseSession({
      deliver,
      connect: (onMessage) => connectSse({ fetch: server.fetch, messageBytes }, onMessage)
    })
  )

const methodsOf = (server: ReturnType<typeof makeSseServer>) =>
  server.requests.map(({ message, method }) => message.method ?? method)

describe("a relay in front of a server of HTTP+SSE", () => {
  it.effect("opens the stream first, and relays both ways", () =>
    Effect.gen(function* () {
      const server = makeSseServer()
      const client = yield* startSse(server)
      yield* begin(client)
      yield* client.send({ id: 1, method: "tools/list" })
      server.streams[0]?.write(event({ method: "notifications/tools/list_changed" }))
      yield* settle
      assert.deepStrictEqual(methodsOf(server), [
        "GET",
        "initialize",
        "notifications/initialized",
        "tools/list"
      ])
      assert.deepStrictEqual(client.answersTo(1)[0]?.result, { stream: 1 })
      assert.strictEqual(client.messages().at(-1)?.method, "notifications/tools/list_changed")
      client.input.end()
      yield* pass("1 second")
      assert.isDefined(client.running.pollUnsafe())
      assert.strictEqual(server.streams[0]?.isCancelled, true)
    })
  )

  it.effect("fails the requests under way when the stream ends, and begins another session by itself", () =>
    Effect.gen(function* () {
      const server = makeSseServer({
        handle: ({ message }, stream, count) => {
          if (message.method !== "slow") stream.write(event(result(message.id, { stream: count })))
        }
      })
      const client = yield* startSse(server)
      yield* begin(client)
      yield* client.send({ id: 1, method: "slow" })
      server.streams[0]?.break()
      yield* settle
      assert.include(client.answersTo(1)[0]?.error?.message, "may have been carried out")
      yield* pass("1 second", 2)
      assert.deepStrictEqual(methodsOf(server).slice(4), ["GET", "initialize", "notifications/initialized"])
      server.streams[1]?.write(event({ method: "notifications/message", params: {} }))
      yield* client.send({ id: 2, method: "tools/list" })
      assert.deepStrictEqual(client.answersTo(2)[0]?.result, { stream: 2 })
      assert.lengthOf(client.answersTo(0), 1)
      assert.lengthOf(
        client.messages().filter(({ method }) => method === "notifications/message"),
        1
      )
    })
  )

  it.effect("a call does not wait for the pause: it begins the session, and many begin one", () =>
    Effect.gen(function* () {
      const server = makeSseServer()
      const client = yield* startSse(server)
      yield* begin(client)
      server.streams[0]?.end()
      yield* settle
      for (const id of [1, 2, 3]) yield* client.send({ id, method: "tools/list" })
      yield* settle
      for (const id of [1, 2, 3]) assert.deepStrictEqual(client.answersTo(id)[0]?.result, { stream: 2 })
      assert.lengthOf(server.streams, 2)
    })
  )

  it.effect("comes back after minutes, and says meanwhile what is wrong", () =>
    Effect.gen(function* () {
      let isDown = false
      const server = makeSseServer({ get: () => (isDown ? refusedConnection : undefined) })
      const client = yield* startSse(server)
      yield* begin(client)
      isDown = true
      server.streams[0]?.break()
      yield* pass("10 seconds", 20)
      yield* client.send({ id: 1, method: "tools/list" })
      assert.include(client.answersTo(1)[0]?.error?.message, "connection refused. The request was not sent")
      isDown = false
      yield* pass("10 seconds", 4)
      assert.lengthOf(server.streams, 2)
    })
  )

  it.effect(
    "says that nothing was sent when no connection can be opened, and where the endpoint would be",
    () =>
      Effect.gen(function* () {
        const server = makeSseServer({ endpoint: () => "http://other.test/messages" })
        const client = yield* startSse(server)
        yield* client.send(initialize)
        const { error } = client.answersTo(0)[0] ?? {}
        assert.include(error?.message, "(http://other.test)")
        assert.include(error?.message, "was not sent")
      })
  )

  it.effect("begins another session when the server has forgotten the one of the stream", () =>
    Effect.gen(function* () {
      let isForgotten = false
      const server = makeSseServer({
        post: ({ url }) => (isForgotten && url?.searchParams.get("session") === "1" ? empty(404) : undefined)
      })
      const client = yield* startSse(server)
      yield* begin(client)
      isForgotten = true
      yield* client.send({ id: 1, method: "tools/list" })
      yield* client.send({ id: 2, method: "tools/list" })
      assert.deepStrictEqual(client.answersTo(2)[0]?.result, { stream: 2 })
    })
  )
})

describe("a relay that is not told the transport", () => {
  const startEither = (server: ReturnType<typeof makeFakeServer>) =>
    startRelay(server.fetch, (deliver: Deliver) =>
      makeFallbackSession({
        http: makeHttpSession({ fetch: server.fetch, deliver, messageBytes }),
        sse: makeSseSession({
          deliver,
          connect: (onMessage) => connectSse({ fetch: server.fetch, messageBytes }, onMessage)
        }),
        isOlder: opensSse({ fetch: server.fetch, messageBytes })
      })
    )

  it.effect("falls back to HTTP+SSE with a server that takes no POST", () =>
    Effect.gen(function* () {
      const server = makeSseServer()
      const client = yield* startEither(server)
      yield* begin(client)
      yield* client.send({ id: 1, method: "tools/list" })
      assert.lengthOf(client.answersTo(0), 1)
      assert.deepStrictEqual(client.answersTo(1)[0]?.result, { stream: 2 })
    })
  )

  it.effect.each([400, 404, 405])("passes a %i on if the server opens no stream either", (status) =>
    Effect.gen(function* () {
      const server = makeFakeServer(({ method }) =>
        method === "GET" ? empty(405) : json({ error: "wrong address" }, status)
      )
      const client = yield* startEither(server)
      yield* client.send(initialize)
      assert.include(client.answersTo(0)[0]?.error?.message, "wrong address")
    })
  )

  it.effect("speaks Streamable HTTP with a server that does", () =>
    Effect.gen(function* () {
      const server = makeStatefulServer({})
      const client = yield* startEither(server)
      yield* begin(client)
      yield* client.send({ id: 1, method: "tools/list" })
      assert.deepStrictEqual(client.answersTo(1)[0]?.result, { session: "s1" })
      client.input.end()
      yield* pass("1 second")
      assert.strictEqual(server.count("DELETE"), 1)
    })
  )
})
