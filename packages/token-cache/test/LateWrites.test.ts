import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { StoreUnavailable, TokenCache } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenCapacity, TokenStore } from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { keyOf, makeServer, requestOf, text, tokenOf } from "./fixtures.ts"

type Store = TokenStore["Service"]

const gone = Effect.fail(new StoreUnavailable({ problem: "away" }))

/** A store that can go away in the middle: from then on it takes nothing, until it is back. */
const makeStore = Effect.map(Layer.build(MemoryTokenStore.layer), (services) => {
  const memory = Context.get(services, TokenStore)
  const state = { away: false, tries: 0 }
  const unlessAway = <A>(effect: Effect.Effect<A, StoreUnavailable>) =>
    Effect.suspend(() => ((state.tries += 1), state.away ? gone : effect))
  const store: Store = {
    ...memory,
    set: (...args) => unlessAway(memory.set(...args)),
    lease: (...args) =>
      Effect.map(
        memory.lease(...args),
        (lease) => lease && { ...lease, set: (...args) => unlessAway(lease.set(...args)) }
      )
  }
  return { state, store, kept: Effect.map(memory.get(keyOf("server")), text), memory }
})

const makeCache = (store: Store, capacity = 100) =>
  SingleFlightTokenCache.layer.pipe(
    Layer.provide([Layer.succeed(TokenStore, store), Layer.succeed(TokenCapacity, capacity)]),
    Layer.build,
    Effect.map(Context.get(TokenCache))
  )

const get = (cache: TokenCache["Service"], ...args: Parameters<typeof requestOf>) =>
  Effect.map(cache.get(requestOf(...args)), ({ source, token }) => `${text(token)} ${source}`)

const renewable = { expiresIn: 100, refreshToken: true }

describe("a token that the store did not take", () => {
  it.effect("a token that the store did not take is served from memory, and written later", () =>
    Effect.gen(function* () {
      const { kept, state, store } = yield* makeStore
      const cache = yield* makeCache(store)
      const server = makeServer(renewable)
      state.away = true
      assert.strictEqual(yield* get(cache, server), "1 acquired")
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(yield* get(cache, server), "1 cache")
      assert.isUndefined(yield* kept)
      state.away = false
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* kept, "1")
      assert.strictEqual(server.count, 1)
    })
  )

  it.effect("a failed write is retried ever more rarely, and not after it succeeded", () =>
    Effect.gen(function* () {
      const { state, store } = yield* makeStore
      const cache = yield* makeCache(store)
      state.away = true
      yield* get(cache, makeServer(renewable))
      const after = (time: Duration.Input) =>
        Effect.andThen(
          TestClock.adjust(time),
          Effect.sync(() => state.tries)
        )
      assert.strictEqual(yield* after("500 millis"), 2)
      assert.strictEqual(yield* after("1 second"), 3)
      assert.strictEqual(yield* after("2 seconds"), 4)
      assert.isAtMost(yield* after("10 minutes"), 30)
      state.away = false
      const last = yield* after("30 seconds")
      assert.strictEqual(yield* after("10 minutes"), last)
    })
  )

  it.effect("a pending write is replaced by that of the next token", () =>
    Effect.gen(function* () {
      const { kept, state, store } = yield* makeStore
      const cache = yield* makeCache(store)
      const server = makeServer(renewable)
      state.away = true
      yield* get(cache, server)
      state.away = false
      const next = yield* Effect.forkChild(get(cache, server, { forceRefresh: true }))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(next), "2 acquired")
      assert.strictEqual(yield* kept, "2")
      assert.deepStrictEqual(server.previous, [undefined, "1"])
    })
  )

  it.effect("a pending write is dropped when another process has written a newer token", () =>
    Effect.gen(function* () {
      const { kept, memory, state, store } = yield* makeStore
      yield* store.set(keyOf("server"), tokenOf("0", { refreshToken: Redacted.make("r") }), Duration.infinity)
      const cache = yield* makeCache(store)
      state.away = true
      yield* get(cache, makeServer(renewable), { forceRefresh: true })
      const theirs = tokenOf("theirs", { refreshToken: Redacted.make("theirs") })
      yield* memory.set(keyOf("server"), theirs, Duration.infinity)
      state.away = false
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* kept, "theirs")
      assert.strictEqual(yield* get(cache, makeServer()), "theirs cache")
    })
  )

  it.effect("a pending write of an invalidated token is dropped", () =>
    Effect.gen(function* () {
      const { kept, state, store } = yield* makeStore
      const cache = yield* makeCache(store)
      state.away = true
      yield* get(cache, makeServer(renewable))
      assert.strictEqual(text(yield* cache.invalidate(keyOf("server"))), "1")
      state.away = false
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(yield* kept)
    })
  )

  it.effect("a pending write is made at the latest when the process ends", () =>
    Effect.gen(function* () {
      const { kept, state, store } = yield* makeStore
      const scope = yield* Scope.make()
      const cache = yield* Scope.provide(makeCache(store), scope)
      state.away = true
      yield* get(cache, makeServer(renewable))
      state.away = false
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* kept, "1")
    })
  )

  it.effect("a renewable token with a pending write is not evicted, because it is nowhere else", () =>
    Effect.gen(function* () {
      const { state, store } = yield* makeStore
      const cache = yield* makeCache(store, 1)
      const granted = makeServer(renewable)
      state.away = true
      yield* get(cache, granted)
      for (const name of ["a", "b", "c"]) yield* get(cache, makeServer(), { key: keyOf(name) })
      assert.strictEqual(yield* get(cache, granted), "1 cache")
    })
  )
})
