import { assert, describe, it } from "@effect/vitest"
import { defaultLimits, type Limits } from "@secure-mcp/transport-injection"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { TestClock } from "effect/testing"
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http"
import { makeHttpExchange } from "../../../../packages/gateway-server/src/bridge/HttpExchange.ts"
import { listen, until } from "./bridgeServer.ts"

/** A response to a client that reads nothing until it is resumed, and how many messages it has read then. */
const openResponse = Effect.gen(function* () {
  const opened = yield* Deferred.make<ServerResponse>()
  const answered = yield* Deferred.make<IncomingMessage>()
  const url = yield* listen(
    createServer((_request, response) => {
      response.flushHeaders()
      Deferred.doneUnsafe(opened, Effect.succeed(response))
    })
  )
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      get(url, (response) => Deferred.doneUnsafe(answered, Effect.succeed(response.pause()))).on(
        "error",
        () => {}
      )
    ),
    (request) => Effect.sync(() => request.destroy())
  )
  const client = { read: 0, isClosed: false }
  const resume = Effect.map(Deferred.await(answered), (response) => {
    response.on("data", (chunk: Buffer) => (client.read += chunk.toString().split("data:").length - 1))
    response.on("error", () => {}).on("close", () => (client.isClosed = true))
    response.resume()
  })
  return { response: yield* Deferred.await(opened), client, resume }
})

const openStream = (response: ServerResponse, limits: Partial<Limits> = {}) => {
  const writeHead = () => response
  // The head has been sent already, so that the client could begin not to read.
  Object.assign(response, { writeHead })
  return makeHttpExchange({
    response,
    headers: {},
    answers: 0,
    isBatch: false,
    limits: { ...defaultLimits, ...limits }
  })
}

const megabyte = JSON.stringify("x".repeat(1024 * 1024))
const times = (count: number, effect: Effect.Effect<void>) =>
  Effect.forEach(Array.from({ length: count }), () => effect, { discard: true })

const logged = <A, E, R>(test: (logs: Array<string>) => Effect.Effect<A, E, R>) => {
  const logs: Array<string> = []
  return Effect.provide(test(logs), Logger.layer([Logger.make(({ message }) => logs.push(String(message)))]))
}

describe("the response to one HTTP request", () => {
  it.effect("a client that reads gets a message longer than may wait, and those behind it", () =>
    Effect.gen(function* () {
      const { client, response, resume } = yield* openResponse
      const exchange = yield* openStream(response, { unreadBytes: 1024 })
      yield* resume
      yield* exchange.notify(JSON.stringify("x".repeat(10 * 1024 * 1024)))
      yield* exchange.notify("1")
      yield* exchange.notify("2")
      yield* exchange.end
      yield* until(() => client.read === 3 && client.isClosed)
    })
  )

  it.effect("a burst of more short messages than may wait arrives at a client that reads", () =>
    Effect.gen(function* () {
      const { client, response, resume } = yield* openResponse
      const exchange = yield* openStream(response, { unreadMessages: 10, unreadBytes: 16 * 1024 })
      yield* resume
      yield* times(20_000, exchange.notify('{"jsonrpc":"2.0"}'))
      yield* exchange.end
      yield* until(() => client.read === 20_000)
    })
  )

  it.effect("a stream that is not read is closed when too many bytes wait, and the log names the key", () =>
    logged((logs) =>
      Effect.gen(function* () {
        const { client, response, resume } = yield* openResponse
        const exchange = yield* openStream(response)
        // No clock moves here: writing waits for nothing.
        yield* times(40, exchange.notify(megabyte))
        assert.isFalse(exchange.isOpen())
        yield* exchange.closed
        assert.lengthOf(logs, 1)
        assert.include(logs[0], "`limits.unread_bytes` is 8388608")
        // A client that reads again learns of it.
        yield* resume
        yield* until(() => client.isClosed)
      })
    )
  )

  it.effect("a stream that is not read is closed when too many messages wait for two seconds", () =>
    logged((logs) =>
      Effect.gen(function* () {
        const { response } = yield* openResponse
        const exchange = yield* openStream(response, { unreadMessages: 5, unreadBytes: 1024 ** 3 })
        yield* times(20, exchange.notify(megabyte))
        yield* TestClock.adjust("1 second")
        assert.isTrue(exchange.isOpen())
        yield* TestClock.adjust("1 second")
        assert.isFalse(exchange.isOpen())
        assert.include(logs[0], "`limits.unread_messages` is 5")
      })
    )
  )

  it.effect("answers of a batch that are too long to be collected are streamed", () =>
    Effect.gen(function* () {
      const { client, response, resume } = yield* openResponse
      Object.assign(response, { writeHead: () => response })
      const exchange = yield* makeHttpExchange({
        response,
        headers: {},
        answers: 3,
        isBatch: true,
        limits: { ...defaultLimits, unreadBytes: 1024 }
      })
      yield* resume
      yield* exchange.answer(megabyte, 200)
      yield* exchange.answer("1", 200)
      yield* exchange.answer("2", 200)
      yield* until(() => client.read === 3 && client.isClosed)
    })
  )

  it.effect("a response that has ended is closed when its client has not read it for ten minutes", () =>
    Effect.gen(function* () {
      const { response } = yield* openResponse
      const exchange = yield* openStream(response)
      yield* times(12, exchange.notify(megabyte))
      yield* exchange.end
      assert.isFalse(exchange.isOpen())
      yield* TestClock.adjust("9 minutes")
      assert.isFalse(response.destroyed)
      yield* TestClock.adjust("1 minute")
      assert.isTrue(response.destroyed)
    })
  )

  it.effect(
    "a stream that is dropped is closed at once if its client is behind, and ended properly if not",
    () =>
      Effect.gen(function* () {
        const { response } = yield* openResponse
        const behind = yield* openStream(response)
        yield* times(12, behind.notify(megabyte))
        yield* behind.drop
        assert.isTrue(response.destroyed)
        const other = yield* openResponse
        const reading = yield* openStream(other.response)
        yield* other.resume
        yield* reading.notify("1")
        yield* reading.drop
        yield* until(() => other.client.read === 1 && other.client.isClosed)
      })
  )
})
