import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { TokenCache } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
import { keyOf, makeGate, makeServer, refusedBy, requestOf, text } from "./fixtures.ts"

const provided = Effect.provide(SingleFlightTokenCache.layerMemory)

const get = Effect.fnUntraced(function* (...args: Parameters<typeof requestOf>) {
  return yield* (yield* TokenCache).get(requestOf(...args))
})

/** Starts a caller and lets it go as far as it can. */
const start = <A, E, R>(caller: Effect.Effect<A, E, R>) =>
  Effect.forkChild(caller, { startImmediately: true })

describe("single flight", () => {
  it.effect("10,000 callers make one acquisition and get the same token", () =>
    Effect.gen(function* () {
      const server = makeServer()
      const gate = makeGate()
      server.gate = gate.passed
      const callers = yield* Effect.forEach(Array.from({ length: 10_000 }), () => start(get(server)))
      yield* gate.open
      const tokens = new Set((yield* Fiber.joinAll(callers)).map(({ token }) => token))
      assert.strictEqual(tokens.size, 1)
      assert.strictEqual(server.count, 1)
    }).pipe(provided)
  )

  it.effect("all waiting callers get the same error, and no later caller does", () =>
    Effect.gen(function* () {
      const server = makeServer()
      const gate = makeGate()
      server.gate = gate.passed
      const failure = refusedBy("one")
      server.failure = failure
      const callers = yield* Effect.forEach([1, 2, 3], () => start(Effect.flip(get(server))))
      yield* gate.open
      for (const error of yield* Fiber.joinAll(callers)) assert.strictEqual(error, failure)
      server.failure = undefined
      assert.strictEqual(text((yield* get(server)).token), "2")
    }).pipe(provided)
  )

  it.effect("a defect reaches all waiting callers and is not remembered", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      const broken = { acquire: () => Effect.andThen(gate.passed, Effect.die("broken")) }
      const callers = yield* Effect.forEach([1, 2], () => start(Effect.exit(get(broken))))
      yield* gate.open
      for (const exit of yield* Fiber.joinAll(callers)) assert.isTrue(Exit.hasDies(exit))
      assert.strictEqual(text((yield* get(makeServer())).token), "1")
    }).pipe(provided)
  )

  it.effect("different keys do not wait for each other", () =>
    Effect.gen(function* () {
      const slow = makeServer()
      const gate = makeGate()
      slow.gate = gate.passed
      const waiting = yield* start(get(slow))
      yield* get(makeServer(), { key: keyOf("other") })
      assert.isUndefined(waiting.pollUnsafe())
      yield* gate.open
      yield* Fiber.join(waiting)
    }).pipe(provided)
  )

  it.effect("forced refreshes join a running one", () =>
    Effect.gen(function* () {
      const server = makeServer()
      yield* get(server)
      const gate = makeGate()
      server.gate = gate.passed
      const callers = yield* Effect.forEach([1, 2, 3], () => start(get(server, { forceRefresh: true })))
      assert.strictEqual((yield* get(server)).source, "cache")
      yield* gate.open
      const names = (yield* Fiber.joinAll(callers)).map(({ token }) => text(token))
      assert.deepStrictEqual(names, ["2", "2", "2"])
      assert.deepStrictEqual(server.previous, [undefined, "1"])
    }).pipe(provided)
  )
})

describe("interruption", () => {
  it.effect("a caller that leaves, even the first one, takes nothing from the others", () =>
    Effect.gen(function* () {
      const server = makeServer()
      const gate = makeGate()
      server.gate = gate.passed
      const first = yield* start(get(server))
      const second = yield* start(get(server))
      yield* Fiber.interrupt(first)
      assert.strictEqual(server.interrupted, 0)
      yield* gate.open
      assert.strictEqual(text((yield* Fiber.join(second)).token), "1")
    }).pipe(provided)
  )

  it.effect("the last caller to leave ends the acquisition", () =>
    Effect.gen(function* () {
      const server = makeServer()
      server.gate = Effect.never
      const callers = yield* Effect.forEach([1, 2], () => start(get(server)))
      yield* Fiber.interruptAll(callers)
      assert.strictEqual(server.interrupted, 1)
      server.gate = Effect.void
      assert.strictEqual(text((yield* get(server)).token), "2")
      assert.strictEqual(server.most, 1)
    }).pipe(provided)
  )

  it.effect("a new caller waits for the end of an abandoned acquisition and starts anew", () =>
    Effect.gen(function* () {
      const server = makeServer()
      const ending = makeGate()
      server.gate = Effect.onInterrupt(Effect.never, () => ending.passed)
      const first = yield* start(get(server))
      const leaving = yield* start(Fiber.interrupt(first))
      server.gate = Effect.void
      const second = yield* start(get(server))
      assert.strictEqual(server.count, 1)
      yield* ending.open
      yield* Fiber.join(leaving)
      assert.strictEqual(text((yield* Fiber.join(second)).token), "2")
      assert.strictEqual(server.most, 1)
    }).pipe(provided)
  )

  it.effect("a renewal in the background continues when the callers that joined it leave", () =>
    Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100 })
      yield* get(server)
      const gate = makeGate()
      server.gate = gate.passed
      yield* TestClock.setTime(95_000)
      yield* get(server)
      const joined = yield* start(get(server, { forceRefresh: true }))
      yield* Fiber.interrupt(joined)
      yield* gate.open
      yield* TestClock.adjust(0)
      assert.strictEqual(text((yield* get(server)).token), "2")
      assert.strictEqual(server.interrupted, 0)
    }).pipe(provided)
  )

  it.effect("closing the layer ends running acquisitions, and no caller is left waiting", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const services = yield* Layer.buildWithScope(SingleFlightTokenCache.layerMemory, scope)
      const server = makeServer({ expiresIn: 100 })
      yield* Effect.provide(get(server), services)
      server.gate = Effect.never
      yield* TestClock.setTime(95_000)
      yield* Effect.provide(get(server), services)
      const other = { key: keyOf("other") }
      const waiting = yield* Effect.forEach([1, 2], () => start(Effect.provide(get(server, other), services)))
      yield* Scope.close(scope, Exit.void)
      for (const exit of yield* Effect.forEach(waiting, Fiber.await)) assert.isTrue(Exit.hasInterrupts(exit))
      assert.strictEqual(server.interrupted, 2)
      for (let attempt = 0; attempt < 2; attempt++) {
        const late = yield* start(Effect.provide(get(server, other), services))
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(late)))
      }
    })
  )
})
