import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { OAuthEvents, TokenCache, type TokenKey } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenCapacity, TokenStore } from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import {
  firstRenewal,
  keyOf,
  makeGate,
  makeServer,
  recordEvents,
  refusedBy,
  requestOf,
  text,
  tokenOf
} from "./fixtures.ts"

const provided = Effect.provide(SingleFlightTokenCache.layerMemory)

const get = Effect.fnUntraced(function* (...args: Parameters<typeof requestOf>) {
  return text((yield* (yield* TokenCache).get(requestOf(...args))).token)
})

const peek = (key: TokenKey = keyOf("server")) =>
  Effect.map(TokenCache, (cache) => text(cache.peek({ key, expiryBuffer: Duration.seconds(10) })))

const start = <A, E, R>(caller: Effect.Effect<A, E, R>) =>
  Effect.forkChild(caller, { startImmediately: true })

describe("a look at the token in memory", () => {
  it.effect("a look gives the token that is in memory, and nothing of another key", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* peek())
      yield* get(makeServer({ expiresIn: 100 }))
      assert.strictEqual(yield* peek(), "1")
      assert.strictEqual(yield* peek({ ...keyOf("server") }), "1")
      assert.isUndefined(yield* peek(keyOf("other")))
      assert.isUndefined(yield* peek({ ...keyOf("server"), subject: "somebody" }))
    }).pipe(provided)
  )

  it.effect("a look gives nothing when the renewal is due, and the token again while it runs", () =>
    Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100 })
      yield* get(server)
      yield* TestClock.setTime(firstRenewal("1") - 1)
      assert.strictEqual(yield* peek(), "1")
      yield* TestClock.setTime(firstRenewal("1"))
      assert.isUndefined(yield* peek())
      assert.strictEqual(server.count, 1, "a look begins nothing")
      const gate = makeGate()
      server.gate = gate.passed
      assert.strictEqual(yield* get(server), "1")
      assert.strictEqual(yield* peek(), "1")
      yield* gate.open
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* peek(), "2")
      assert.strictEqual(server.count, 2)
    }).pipe(provided)
  )

  it.effect(
    "a look gives the token during the pause after a failed renewal, and nothing when that is over",
    () =>
      Effect.gen(function* () {
        const server = makeServer({ expiresIn: 100 })
        yield* get(server)
        server.failure = refusedBy("one")
        yield* TestClock.setTime(90_000)
        yield* get(server)
        yield* TestClock.adjust(999)
        assert.strictEqual(yield* peek(), "1")
        yield* TestClock.adjust(1)
        assert.isUndefined(yield* peek())
      }).pipe(provided)
  )

  for (const refreshToken of [true, false])
    it.effect(
      `a look gives no expired token ${refreshToken ? "with" : "without"} a refresh token, and its end is told once`,
      () => {
        const { layer, tags } = recordEvents()
        return Effect.gen(function* () {
          const server = makeServer({ expiresIn: 100, refreshToken })
          yield* get(server)
          server.failure = refusedBy("one")
          yield* TestClock.setTime(100_000)
          assert.isUndefined(yield* peek())
          yield* Effect.flip((yield* TokenCache).get(requestOf(server)))
          assert.isUndefined(yield* peek())
          assert.strictEqual(tags().filter((tag) => tag === "TokenExpired").length, 1)
        }).pipe(Effect.provide(Layer.provide(SingleFlightTokenCache.layerMemory, layer)))
      }
    )

  it.effect("a look gives no token that is for one use", () =>
    Effect.gen(function* () {
      const acquire = () => Effect.succeed(tokenOf("once", { reusable: false }))
      yield* get({ acquire })
      assert.isUndefined(yield* peek())
    }).pipe(provided)
  )

  it.effect("a look gives no token that was refused, also when its replacement fails", () =>
    Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100, refreshToken: true })
      yield* get(server)
      server.failure = refusedBy("one")
      const refused = tokenOf("1").accessToken
      yield* Effect.flip((yield* TokenCache).get(requestOf(server, { refused })))
      assert.isUndefined(yield* peek())
    }).pipe(provided)
  )

  it.effect("a look gives the old token while a forced refresh runs, and the new one then", () =>
    Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100 })
      yield* get(server)
      const gate = makeGate()
      server.gate = gate.passed
      const forced = yield* start(get(server, { forceRefresh: true }))
      assert.strictEqual(yield* peek(), "1")
      yield* gate.open
      yield* Fiber.join(forced)
      assert.strictEqual(yield* peek(), "2")
    }).pipe(provided)
  )

  it.effect("a look gives nothing while a first token is obtained", () =>
    Effect.gen(function* () {
      const server = makeServer()
      const gate = makeGate()
      server.gate = gate.passed
      const caller = yield* start(get(server))
      assert.isUndefined(yield* peek())
      yield* gate.open
      yield* Fiber.join(caller)
      assert.strictEqual(yield* peek(), "1")
    }).pipe(provided)
  )

  it.effect("a look gives the token of a login from the moment it is put", () =>
    Effect.gen(function* () {
      yield* (yield* TokenCache).put(keyOf("server"), tokenOf("of-a-login"))
      assert.strictEqual(yield* peek(), "of-a-login")
    }).pipe(provided)
  )

  it.effect("a look gives a token that was put where there is no store at any later time", () =>
    Effect.gen(function* () {
      yield* (yield* TokenCache).put(keyOf("server"), tokenOf("of-a-login"))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* peek(), "of-a-login")
    }).pipe(provided)
  )

  it.effect("a look gives a token that was put into memory only at any later time", () =>
    Effect.gen(function* () {
      const key = { ...keyOf("server"), memoryOnly: true }
      yield* (yield* TokenCache).put(key, tokenOf("of-a-caller"))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* peek(key), "of-a-caller")
    }).pipe(Effect.provide(Layer.provide(SingleFlightTokenCache.layer, MemoryTokenStore.layer)))
  )
})

describe("a look at a token that is removed", () => {
  it.effect("a look gives nothing from the moment the token is being removed", () => {
    const gate = makeGate()
    const slowStore = Layer.effect(
      TokenStore,
      Effect.map(TokenStore, (store) => ({
        ...store,
        remove: (key) => Effect.andThen(gate.passed, store.remove(key))
      }))
    ).pipe(Layer.provide(MemoryTokenStore.layer))
    return Effect.gen(function* () {
      const cache = yield* TokenCache
      yield* get(makeServer())
      const removal = yield* start(cache.invalidate(keyOf("server")))
      assert.isUndefined(yield* peek())
      yield* gate.open
      yield* Fiber.join(removal)
      assert.isUndefined(yield* peek())
    }).pipe(Effect.provide(Layer.provide(SingleFlightTokenCache.layer, slowStore)))
  })

  it.effect(
    "a look gives nothing when the store has to be asked, and none that another process removed",
    () =>
      Effect.gen(function* () {
        const store = yield* TokenStore
        const server = makeServer()
        yield* get(server)
        yield* TestClock.adjust(1999)
        assert.strictEqual(yield* peek(), "1")
        yield* store.remove(keyOf("server"))
        assert.strictEqual(yield* peek(), "1")
        yield* TestClock.adjust(1)
        assert.isUndefined(yield* peek())
        assert.strictEqual(yield* get(server), "1", "the store is asked in the background")
        yield* TestClock.adjust(0)
        assert.isUndefined(yield* peek())
        assert.strictEqual(yield* get(server), "2")
        assert.strictEqual(yield* peek(), "2")
      }).pipe(Effect.provide(Layer.provideMerge(SingleFlightTokenCache.layer, MemoryTokenStore.layer)))
  )

  it.effect("a look gives the token while the store is asked, until a whole interval is over", () => {
    const gate = makeGate()
    let asks = 0
    const slowStore = Layer.effect(
      TokenStore,
      Effect.map(TokenStore, (store) => ({
        ...store,
        get: (key) => (++asks > 1 ? Effect.andThen(gate.passed, store.get(key)) : store.get(key))
      }))
    ).pipe(Layer.provide(MemoryTokenStore.layer))
    return Effect.gen(function* () {
      const server = makeServer()
      yield* get(server)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* get(server), "1")
      assert.strictEqual(yield* peek(), "1")
      yield* TestClock.adjust(1999)
      assert.strictEqual(yield* peek(), "1")
      yield* TestClock.adjust(1)
      assert.isUndefined(yield* peek())
      yield* gate.open
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* peek(), "1")
    }).pipe(Effect.provide(Layer.provide(SingleFlightTokenCache.layer, slowStore)))
  })
})

describe("what a look leaves behind", () => {
  const twoKeys = SingleFlightTokenCache.layerMemory.pipe(Layer.provide(Layer.succeed(TokenCapacity, 2)))

  it.effect("a look is a use: the token that was not looked at is evicted first", () =>
    Effect.gen(function* () {
      const server = makeServer()
      for (const name of ["a", "b"]) yield* get(server, { key: keyOf(name) })
      assert.strictEqual(yield* peek(keyOf("a")), "1")
      yield* get(server, { key: keyOf("c") })
      assert.isUndefined(yield* peek(keyOf("b")))
      assert.strictEqual(yield* peek(keyOf("a")), "1")
    }).pipe(Effect.provide(twoKeys))
  )

  it.effect("a look that gives a token is a hit, and one that gives none is not counted", () => {
    const hits: Array<string> = []
    const events = Layer.succeed(OAuthEvents, {
      publish: () => Effect.void,
      countHit: (serverName) => void hits.push(serverName)
    })
    return Effect.gen(function* () {
      yield* peek()
      assert.deepStrictEqual(hits, [])
      yield* get(makeServer())
      yield* peek()
      yield* peek()
      assert.deepStrictEqual(hits, ["server", "server"])
    }).pipe(Effect.provide(Layer.provide(SingleFlightTokenCache.layerMemory, events)))
  })

  it.effect("a hit of a look is published to a sink that only takes events", () => {
    const { events, layer } = recordEvents()
    return Effect.gen(function* () {
      yield* get(makeServer())
      yield* peek()
      yield* Effect.yieldNow
      assert.deepStrictEqual(events.at(-1), { _tag: "CacheHit", serverName: "server" })
    }).pipe(Effect.provide(Layer.provide(SingleFlightTokenCache.layerMemory, layer)))
  })
})
