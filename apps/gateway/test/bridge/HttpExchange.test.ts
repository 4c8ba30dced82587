import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { createServer, get, type ServerResponse } from "node:http"
import { makeHttpExchange } from "../../src/bridge/HttpExchange.ts"
import { listen } from "./bridgeServer.ts"

/** A response whose client reads all that is sent, but never at once. */
const openResponse = Effect.gen(function* () {
  const opened = yield* Deferred.make<ServerResponse>()
  const url = yield* listen(
    createServer((_request, response) => Deferred.doneUnsafe(opened, Effect.succeed(response)))
  )
  yield* Effect.acquireRelease(
    Effect.sync(() => get(url, (response) => response.resume())),
    (request) => Effect.sync(() => request.destroy())
  )
  return yield* Deferred.await(opened)
})

describe("the response to one HTTP request", () => {
  it.live("sixty writes to a slow client leave no listener behind", () =>
    Effect.gen(function* () {
      const response = yield* openResponse
      const exchange = yield* makeHttpExchange({
        response,
        headers: {},
        answers: 0,
        isBatch: false,
        whenFull: "wait"
      })
      const listeners = () => ["close", "drain"].map((event) => response.listenerCount(event))
      const before = listeners()
      const text = JSON.stringify("x".repeat(256 * 1024))
      yield* Effect.forEach(Array.from({ length: 60 }), () => exchange.notify(text), { discard: true })
      assert.deepStrictEqual(listeners(), before)
    })
  )
})
