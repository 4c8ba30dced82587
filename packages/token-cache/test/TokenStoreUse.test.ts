import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { StoreUnavailable, TokenCache, tokenKeyString } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenCapacity, TokenStore } from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { keyOf, leaseThrough, makeGate, makeServer, requestOf, text, tokenOf } from "./fixtures.ts"

type Store = TokenStore["Service"]

/** A cache over the memory store with some operations replaced; counts the calls. */
const over = (change: (store: Store) => Partial<Store>) => {
  const calls = { get: 0, set: 0, remove: 0, list: 0, checkWritable: 0, lease: 0 }
  const counting = Layer.effect(
    TokenStore,
    Effect.map(TokenStore, (memory) => {
      const store: Store = { ...memory, lease: leaseThrough(memory, () => counted), ...change(memory) }
      const counted: Store = {
        get: (key) => Effect.suspend(() => ((calls.get += 1), store.get(key))),
        set: (key, token, ttl) => Effect.suspend(() => ((calls.set += 1), store.set(key, token, ttl))),
        remove: (key) => Effect.suspend(() => ((calls.remove += 1), store.remove(key))),
        list: Effect.suspend(() => ((calls.list += 1), store.list)),
        checkWritable: Effect.suspend(() => ((calls.checkWritable += 1), store.checkWritable)),
        lease: (key, ttl) => Effect.suspend(() => ((calls.lease += 1), store.lease(key, ttl)))
      }
      return counted
    })
  ).pipe(Layer.provide(MemoryTokenStore.layer))
  const layer = SingleFlightTokenCache.layer.pipe(Layer.provideMerge(counting))
  return { calls, layer }
}

const get = Effect.fnUntraced(function* (...args: Parameters<typeof requestOf>) {
  const { source, token } = yield* (yield* TokenCache).get(requestOf(...args))
  return `${text(token)} ${source}`
})

const gone = Effect.fail(new StoreUnavailable({ problem: "the disk is full" }))

const put = (...args: Parameters<Store["set"]>) => Effect.flatMap(TokenStore, (store) => store.set(...args))

describe("the store", () => {
  it.effect("the store is read and written for an acquisition, and not used by hits", () => {
    const { calls, layer } = over(() => ({}))
    return Effect.gen(function* () {
      const server = makeServer()
      yield* get(server)
      for (let i = 0; i < 10; i++) yield* get(server)
      assert.deepStrictEqual(calls, { get: 1, set: 1, remove: 0, list: 0, checkWritable: 0, lease: 1 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("the store has the token before any caller gets it", () => {
    const gate = makeGate()
    const { layer } = over((memory) => ({
      set: (...args) => Effect.andThen(gate.passed, memory.set(...args))
    }))
    return Effect.gen(function* () {
      const waiting = yield* Effect.forkChild(get(makeServer()), { startImmediately: true })
      assert.isUndefined(waiting.pollUnsafe())
      yield* gate.open
      yield* Fiber.join(waiting)
      assert.strictEqual(text(yield* (yield* TokenStore).get(keyOf("server"))), "1")
    }).pipe(Effect.provide(layer))
  })

  it.effect("the store gets a granted token although every caller has left while it was written", () => {
    const gate = makeGate()
    const { layer } = over((memory) => ({
      set: (...args) => Effect.andThen(gate.passed, memory.set(...args))
    }))
    return Effect.gen(function* () {
      const server = makeServer()
      const waiting = yield* Effect.forkChild(get(server), { startImmediately: true })
      const leaving = yield* Effect.forkChild(Fiber.interrupt(waiting), { startImmediately: true })
      yield* gate.open
      yield* Fiber.join(leaving)
      assert.strictEqual(yield* get(server), "1 cache")
    }).pipe(Effect.provide(layer))
  })

  it.effect("a valid token in the store makes an acquisition unnecessary", () =>
    Effect.gen(function* () {
      yield* put(keyOf("server"), tokenOf("kept", { expiresAt: 100_000 }), Duration.infinity)
      const server = makeServer()
      yield* TestClock.adjust("99 seconds")
      assert.strictEqual(yield* get(server), "kept cache")
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(yield* get(server), "1 acquired")
    }).pipe(Effect.provide(over(() => ({})).layer))
  )

  it.effect("the store returns a token that another process has renewed meanwhile", () => {
    const { layer } = over(() => ({}))
    return Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100 })
      yield* get(server)
      yield* TestClock.setTime(95_000)
      yield* put(
        keyOf("server"),
        tokenOf("theirs", { issuedAt: 94_000, expiresAt: 194_000 }),
        Duration.infinity
      )
      assert.strictEqual(yield* get(server), "theirs cache")
      assert.strictEqual(server.count, 1)
      yield* TestClock.setTime(96_000)
      yield* put(keyOf("server"), tokenOf("newest", { issuedAt: 96_000 }), Duration.infinity)
      assert.strictEqual(yield* get(server, { refused: Redacted.make("theirs") }), "newest cache")
      yield* put(keyOf("server"), tokenOf("rotated", { issuedAt: 97_000 }), Duration.infinity)
      yield* get(server, { forceRefresh: true })
      assert.deepStrictEqual(server.previous, [undefined, "rotated"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("the store removes a token that was replaced by one that is not stored", () =>
    Effect.gen(function* () {
      yield* get(makeServer())
      const acquire = () => Effect.succeed(tokenOf("once", { reusable: false }))
      assert.strictEqual(yield* get({ acquire }, { forceRefresh: true }), "once acquired")
      assert.deepStrictEqual(yield* (yield* TokenStore).list, [])
      assert.deepStrictEqual(yield* (yield* TokenCache).list, [])
    }).pipe(Effect.provide(over(() => ({})).layer))
  )

  it.effect("the store has a token with a refresh token beyond its expiry, and others no longer", () =>
    Effect.gen(function* () {
      yield* get(makeServer({ expiresIn: 100 }), { key: keyOf("plain") })
      yield* get(makeServer({ expiresIn: 100, refreshToken: true }), { key: keyOf("renewable") })
      yield* TestClock.adjust("30 days")
      const names = (yield* (yield* TokenStore).list).map(({ key }) => key.serverName)
      assert.deepStrictEqual(names, ["renewable"])
      assert.deepStrictEqual(yield* (yield* TokenCache).list, [])
    }).pipe(Effect.provide(over(() => ({})).layer))
  )

  it.effect("the store is listed together with memory, each token once, only valid ones", () =>
    Effect.gen(function* () {
      yield* get(makeServer(), { key: keyOf("both") })
      yield* put(keyOf("stored"), tokenOf("stored"), Duration.infinity)
      yield* put(keyOf("spent"), tokenOf("spent", { reusable: false }), Duration.infinity)
      yield* put(keyOf("expired"), tokenOf("expired", { expiresAt: -1 }), Duration.infinity)
      const names = (yield* (yield* TokenCache).list).map(({ key }) => key.serverName)
      assert.deepStrictEqual(names.toSorted(), ["both", "stored"])
    }).pipe(Effect.provide(over(() => ({})).layer))
  )
})

describe("a store that fails", () => {
  for (const [how, failing] of [
    ["with its error", gone],
    ["unexpectedly", Effect.die("access-token-in-a-defect")]
  ] as const)
    it.effect(`a store that fails costs a warning without secrets, never a token: ${how}`, () => {
      const messages: Array<string> = []
      const logger = Logger.make(({ cause, message }) => {
        messages.push(`${String(message)} ${String(cause)}`)
      })
      const { layer } = over(() => ({ get: () => failing, set: () => failing }))
      return Effect.gen(function* () {
        const server = makeServer()
        assert.strictEqual(yield* get(server), "1 acquired")
        assert.strictEqual(yield* get(server), "1 cache")
        assert.strictEqual(messages.length, 2)
        for (const message of messages) assert.notInclude(message, "access-token")
      }).pipe(Effect.provide([layer, Logger.layer([logger])]))
    })

  it.effect("a store that fails to remove or to list is an error for that caller", () => {
    const { layer } = over(() => ({ remove: () => gone, list: gone }))
    return Effect.gen(function* () {
      const cache = yield* TokenCache
      const errors = [yield* Effect.flip(cache.invalidate(keyOf("server"))), yield* Effect.flip(cache.list)]
      for (const error of errors) {
        assert.strictEqual(error.reason._tag, "StoreUnavailable")
        assert.isTrue(error.retryable)
        assert.match(error.message, /the token store cannot be used: the disk is full/)
        assert.isNotEmpty(error.correlationId)
      }
      assert.strictEqual(yield* get(makeServer()), "1 acquired")
    }).pipe(Effect.provide(layer))
  })
})

describe("capacity", () => {
  it.effect("the most recently used tokens stay in memory; the store may have the others", () => {
    const store = Layer.effect(
      TokenStore,
      Effect.map(TokenStore, (memory) => memory)
    ).pipe(Layer.provide(MemoryTokenStore.layer))
    const layer = SingleFlightTokenCache.layer.pipe(
      Layer.provide(Layer.succeed(TokenCapacity, 2)),
      Layer.provideMerge(store)
    )
    return Effect.gen(function* () {
      const asked: Array<string> = []
      const get = (name: string) =>
        Effect.flatMap(TokenCache, (cache) =>
          cache.get(
            requestOf(
              { acquire: () => Effect.sync(() => (asked.push(name), tokenOf(name, { reusable: true }))) },
              { key: keyOf(name) }
            )
          )
        )
      for (const name of ["a", "b", "a", "c"]) yield* get(name)
      const kept = yield* TokenStore
      for (const name of ["a", "b", "c"]) yield* kept.remove(keyOf(name))
      for (const name of ["a", "c", "b"]) yield* get(name)
      assert.deepStrictEqual(asked, ["a", "b", "c", "b"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("the capacity does not count tokens that are being acquired", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      const server = makeServer()
      server.gate = gate.passed
      const callers = yield* Effect.forEach(["a", "b", "c", "a", "b", "c"], (name) =>
        Effect.forkChild(get(server, { key: keyOf(name) }), { startImmediately: true })
      )
      assert.strictEqual(server.count, 3)
      yield* gate.open
      yield* Fiber.joinAll(callers)
      const keys = (yield* (yield* TokenCache).list).map(({ key }) => tokenKeyString(key))
      assert.strictEqual(keys.length, 1)
    }).pipe(
      Effect.provide(Layer.provide(SingleFlightTokenCache.layerMemory, Layer.succeed(TokenCapacity, 1)))
    )
  )
})
