import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { TokenCache } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenStore, tokenOfEntry } from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { keyOf, makeGate, makeServer, refusedBy, requestOf, text, tokenOf } from "./fixtures.ts"

const provided = Effect.provide(SingleFlightTokenCache.layer.pipe(Layer.provideMerge(MemoryTokenStore.layer)))

const get = Effect.fnUntraced(function* (...args: Parameters<typeof requestOf>) {
  const { source, token } = yield* (yield* TokenCache).get(requestOf(...args))
  return `${text(token)} ${source}`
})

const invalidate = Effect.flatMap(TokenCache, (cache) => cache.invalidate(keyOf("server")))

const start = <A, E, R>(caller: Effect.Effect<A, E, R>) =>
  Effect.forkChild(caller, { startImmediately: true })

describe("a refused token", () => {
  const refused = Redacted.make("1")

  it.effect("a refused token is replaced, and the flow gets it as the one to replace", () =>
    Effect.gen(function* () {
      const server = makeServer({ refreshToken: true })
      yield* get(server)
      assert.strictEqual(yield* get(server, { refused }), "2 acquired")
      assert.deepStrictEqual(server.previous, [undefined, "1"])
    }).pipe(provided)
  )

  it.effect("a refused token is not served again even if no other can be obtained", () =>
    Effect.gen(function* () {
      const server = makeServer()
      yield* get(server)
      server.failure = refusedBy("one")
      yield* Effect.flip(get(server, { refused }))
      yield* Effect.flip(get(server))
      assert.deepStrictEqual(yield* (yield* TokenCache).list, [])
      server.failure = undefined
      assert.strictEqual(yield* get(server), "4 acquired")
    }).pipe(provided)
  )

  it.effect("a late refusal does not remove the token that came after it", () =>
    Effect.gen(function* () {
      const server = makeServer()
      yield* get(server)
      yield* get(server, { refused })
      assert.strictEqual(yield* get(server, { refused }), "2 cache")
      assert.strictEqual(server.count, 2)
    }).pipe(provided)
  )

  it.effect("a refused token is replaced once, however many requests were refused with it", () =>
    Effect.gen(function* () {
      const server = makeServer()
      yield* get(server)
      const gate = makeGate()
      server.gate = gate.passed
      const callers = yield* Effect.forEach([1, 2, 3], () => start(get(server, { refused })))
      const unaware = yield* start(get(server))
      yield* gate.open
      const answers = yield* Fiber.joinAll([...callers, unaware])
      assert.deepStrictEqual(answers, ["2 acquired", "2 acquired", "2 acquired", "2 acquired"])
      assert.strictEqual(server.count, 2)
    }).pipe(provided)
  )

  for (const [kept, refreshToken] of [
    ["no longer in the store", undefined],
    ["in the store for its refresh token only", Redacted.make("refresh")]
  ] as const)
    it.effect(`a refused token is ${kept}, so that no other process serves it`, () =>
      Effect.gen(function* () {
        const store = yield* TokenStore
        const token = tokenOf("1", refreshToken === undefined ? {} : { refreshToken })
        yield* store.set(keyOf("server"), token, Duration.infinity)
        const server = makeServer()
        server.failure = refusedBy("one")
        yield* Effect.flip(get(server, { refused }))
        assert.strictEqual(tokenOfEntry(yield* store.get(keyOf("server")))?.reusable, refreshToken && false)
        yield* Effect.flip(Effect.provide(get(server), Layer.fresh(SingleFlightTokenCache.layer)))
        assert.deepStrictEqual(server.previous, ["1", refreshToken && "1"])
      }).pipe(provided)
    )

  it.effect("a refused token in the store does not satisfy a caller that joined another one", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      const memory = yield* TokenStore
      yield* memory.set(keyOf("server"), tokenOf("1"), Duration.infinity)
      const slow = Layer.succeed(TokenStore, {
        ...memory,
        get: (key) => Effect.andThen(gate.passed, memory.get(key))
      })
      yield* Effect.gen(function* () {
        const server = makeServer()
        server.acquire = () => Effect.succeed(tokenOf("2"))
        const content = yield* start(get(server))
        const others = yield* Effect.forEach([{ refused }, { forceRefresh: true }], (options) =>
          start(get(server, options))
        )
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(content), "1 cache")
        assert.deepStrictEqual(yield* Fiber.joinAll(others), ["2 acquired", "2 acquired"])
      }).pipe(Effect.provide(Layer.provide(SingleFlightTokenCache.layer, slow)))
    }).pipe(Effect.provide(MemoryTokenStore.layer))
  )
})

describe("an invalidated token", () => {
  it.effect("an invalidated token is returned and removed everywhere", () =>
    Effect.gen(function* () {
      const server = makeServer()
      yield* get(server)
      assert.strictEqual(text(yield* invalidate), "1")
      assert.isUndefined(yield* invalidate)
      assert.deepStrictEqual(yield* (yield* TokenStore).list, [])
      assert.deepStrictEqual(yield* (yield* TokenCache).list, [])
      assert.strictEqual(yield* get(server), "2 acquired")
      assert.deepStrictEqual(server.previous, [undefined, undefined])
    }).pipe(provided)
  )

  it.effect("an invalidated token is returned from the store, too", () =>
    Effect.gen(function* () {
      yield* (yield* TokenStore).set(keyOf("server"), tokenOf("1"), Duration.infinity)
      assert.strictEqual(text(yield* invalidate), "1")
    }).pipe(provided)
  )

  it.effect("an invalidated acquisition serves its callers and is not cached; later ones start anew", () =>
    Effect.gen(function* () {
      const server = makeServer()
      const gate = makeGate()
      server.gate = gate.passed
      const before = yield* start(get(server))
      assert.isUndefined(yield* invalidate)
      const after = yield* start(get(server))
      assert.strictEqual(server.count, 1)
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(before), "1 acquired")
      assert.strictEqual(yield* Fiber.join(after), "2 acquired")
      assert.strictEqual(yield* get(server), "2 cache")
      assert.strictEqual(text(yield* (yield* TokenStore).get(keyOf("server"))), "2")
      assert.strictEqual(server.most, 1)
    }).pipe(provided)
  )

  it.effect("an invalidated acquisition is neither cached nor stored without later callers", () =>
    Effect.gen(function* () {
      const server = makeServer()
      const gate = makeGate()
      server.gate = gate.passed
      const before = yield* start(get(server))
      yield* invalidate
      yield* gate.open
      yield* Fiber.join(before)
      assert.deepStrictEqual(yield* (yield* TokenCache).list, [])
      assert.deepStrictEqual(yield* (yield* TokenStore).list, [])
    }).pipe(provided)
  )

  it.effect("an invalidated token is not read from a store that removes it slowly", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      const memory = yield* TokenStore
      const slow = Layer.succeed(TokenStore, {
        ...memory,
        remove: (key) => Effect.andThen(gate.passed, memory.remove(key))
      })
      yield* Effect.gen(function* () {
        const server = makeServer()
        yield* get(server)
        const removing = yield* start(invalidate)
        const after = yield* start(get(server))
        const again = yield* invalidate
        assert.isUndefined(again)
        yield* gate.open
        assert.strictEqual(text(yield* Fiber.join(removing)), "1")
        assert.strictEqual(yield* Fiber.join(after), "2 acquired")
      }).pipe(Effect.provide(Layer.provide(SingleFlightTokenCache.layer, slow)))
    }).pipe(Effect.provide(MemoryTokenStore.layer))
  )
})
