import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { TokenCache } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
import { firstRenewal, makeGate, makeServer, refusedBy, requestOf, text, tokenOf } from "./fixtures.ts"

const provided = Effect.provide(SingleFlightTokenCache.layerMemory)

/** What a caller gets: "1 acquired", "1 cache". */
const got = Effect.fnUntraced(function* (...args: Parameters<typeof requestOf>) {
  const { source, token } = yield* (yield* TokenCache).get(requestOf(...args))
  return `${text(token)} ${source}`
})

describe("freshness", () => {
  it.effect("a fresh token is served without another acquisition", () =>
    Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100 })
      assert.strictEqual(yield* got(server), "1 acquired")
      yield* TestClock.setTime(firstRenewal("1") - 1)
      assert.strictEqual(yield* got(server), "1 cache")
      assert.strictEqual(server.count, 1)
    }).pipe(provided)
  )

  it.effect("a token in the margin is served at once while one renewal runs", () =>
    Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100 })
      yield* got(server)
      const gate = makeGate()
      server.gate = gate.passed
      yield* TestClock.adjust("90 seconds")
      const answers = yield* Effect.forEach([1, 2, 3], () => got(server), { concurrency: "unbounded" })
      assert.deepStrictEqual(answers, ["1 cache", "1 cache", "1 cache"])
      assert.strictEqual(server.count, 2)
      yield* gate.open
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* got(server), "2 cache")
      assert.strictEqual(server.count, 2)
    }).pipe(provided)
  )

  it.effect("the margin is at most half of the lifetime", () =>
    Effect.gen(function* () {
      const server = makeServer({ expiresIn: 60 })
      const options = { expiryBuffer: Duration.seconds(300) }
      yield* got(server, options)
      yield* TestClock.adjust("29999 millis")
      yield* got(server, options)
      assert.strictEqual(server.count, 1)
      yield* TestClock.adjust("1 millis")
      yield* got(server, options)
      assert.strictEqual(server.count, 2)
    }).pipe(provided)
  )

  it.effect("callers past expiry wait for the running renewal", () =>
    Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100 })
      yield* got(server)
      const gate = makeGate()
      server.gate = gate.passed
      yield* TestClock.adjust("95 seconds")
      assert.strictEqual(yield* got(server), "1 cache")
      yield* TestClock.adjust("5 seconds")
      const waiting = yield* Effect.forkChild(got(server), { startImmediately: true })
      assert.isUndefined(waiting.pollUnsafe())
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(waiting), "2 acquired")
      assert.strictEqual(server.count, 2)
    }).pipe(provided)
  )

  it.effect("a token without an end is cached", () =>
    Effect.gen(function* () {
      const server = makeServer()
      yield* got(server)
      yield* TestClock.adjust("10000 days")
      assert.strictEqual(yield* got(server), "1 cache")
    }).pipe(provided)
  )

  for (const [kind, fields] of [
    ["for one use", { reusable: false }],
    ["without a lifetime", { expiresAt: 0 }],
    ["that was over before it came", { expiresAt: -5 }]
  ] as const)
    it.effect(`a token ${kind} is given to all waiting callers and not cached`, () =>
      Effect.gen(function* () {
        const cache = yield* TokenCache
        let count = 0
        const gate = makeGate()
        const acquire = () => Effect.as(gate.passed, tokenOf(String(++count), fields))
        const waiting = yield* Effect.forEach([1, 2], () =>
          Effect.forkChild(got({ acquire }), { startImmediately: true })
        )
        yield* gate.open
        assert.deepStrictEqual(yield* Fiber.joinAll(waiting), ["1 acquired", "1 acquired"])
        assert.deepStrictEqual(yield* cache.list, [])
        assert.strictEqual(yield* got({ acquire }), "2 acquired")
      }).pipe(provided)
    )

  it.effect("an expired token is neither served nor listed, but can be renewed with its refresh token", () =>
    Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100, refreshToken: true })
      yield* got(server)
      yield* TestClock.adjust("3 hours")
      assert.deepStrictEqual(yield* (yield* TokenCache).list, [])
      assert.strictEqual(yield* got(server), "2 acquired")
      assert.deepStrictEqual(server.previous, [undefined, "1"])
    }).pipe(provided)
  )
})

describe("failed renewals", () => {
  it.effect("a token whose renewal fails is served until it expires, and never after", () =>
    Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100 })
      yield* got(server)
      const failure = refusedBy("one")
      server.failure = failure
      for (let second = 90; second < 100; second++) {
        yield* TestClock.setTime(second * 1000)
        assert.strictEqual(yield* got(server), "1 cache")
      }
      yield* TestClock.setTime(100_000)
      assert.strictEqual(yield* Effect.flip(got(server)), failure)
    }).pipe(provided)
  )

  it.effect("background attempts pause for 1, 2, 4 ... at most 60 seconds", () =>
    Effect.gen(function* () {
      const server = makeServer({ expiresIn: 1000 })
      const options = { expiryBuffer: Duration.seconds(300) }
      yield* got(server, options)
      server.failure = refusedBy("one")
      yield* TestClock.setTime(700_000)
      const tries: Array<number> = []
      for (let second = 700; second < 1000; second++) {
        yield* TestClock.setTime(second * 1000)
        const before = server.count
        for (let i = 0; i < 3; i++) yield* got(server, options)
        if (server.count > before) tries.push(second - 700)
      }
      assert.deepStrictEqual(tries, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243])
      assert.strictEqual(server.count, 1 + tries.length)
    }).pipe(provided)
  )

  it.effect("a success ends the pauses", () =>
    Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100 })
      yield* got(server)
      server.failure = refusedBy("one")
      yield* TestClock.setTime(90_000)
      yield* got(server)
      server.failure = undefined
      yield* TestClock.setTime(91_000)
      yield* got(server)
      assert.strictEqual(yield* got(server), "3 cache")
      server.failure = refusedBy("two")
      yield* TestClock.setTime(181_000)
      yield* got(server)
      yield* TestClock.setTime(182_000)
      yield* got(server)
      assert.strictEqual(server.count, 5)
    }).pipe(provided)
  )

  it.effect("a forced refresh that fails gives the error and leaves the token", () =>
    Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100 })
      yield* got(server)
      const failure = refusedBy("one")
      server.failure = failure
      assert.strictEqual(yield* Effect.flip(got(server, { forceRefresh: true })), failure)
      assert.strictEqual(yield* got(server), "1 cache")
    }).pipe(provided)
  )

  it.effect("a failure is not remembered by waiting callers", () =>
    Effect.gen(function* () {
      const server = makeServer()
      server.failure = refusedBy("one")
      yield* Effect.flip(got(server))
      server.failure = undefined
      assert.strictEqual(yield* got(server), "2 acquired")
    }).pipe(provided)
  )
})
