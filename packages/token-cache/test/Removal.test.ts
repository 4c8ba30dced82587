import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { StoreUnavailable, TokenCache } from "@secure-mcp/oauth-core"
import {
  absent,
  SingleFlightTokenCache,
  type StoreEntry,
  tokenOfEntry,
  TokenStore
} from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { keyOf, makeGate, makeServer, requestOf, text, tokenOf } from "./fixtures.ts"

const key = keyOf("server")
const renewable = { expiresIn: 3600, refreshToken: true }

/** A store that other processes share: what they do to it, and what the cache is told. */
const makeStore = Effect.map(Layer.build(MemoryTokenStore.layer), (services) => {
  const shared = Context.get(services, TokenStore)
  const state = { looks: 0, away: false, answer: (entry: StoreEntry): StoreEntry => entry }
  const unlessAway = <A>(effect: Effect.Effect<A, StoreUnavailable>) =>
    Effect.suspend(() => (state.away ? Effect.fail(new StoreUnavailable({ problem: "away" })) : effect))
  const store: TokenStore["Service"] = {
    ...shared,
    get: (asked) =>
      Effect.suspend(() => {
        state.looks += 1
        return Effect.map(unlessAway(shared.get(asked)), state.answer)
      }),
    set: (...args) => unlessAway(shared.set(...args)),
    lease: (...args) =>
      Effect.map(
        unlessAway(shared.lease(...args)),
        (lease) => lease && { ...lease, found: state.answer(lease.found) }
      )
  }
  return { shared, store, state }
})

const makeCache = (store: TokenStore["Service"]) =>
  SingleFlightTokenCache.layerOptions({ storeCheckInterval: "4 seconds" }).pipe(
    Layer.provide(Layer.succeed(TokenStore, store)),
    Layer.build,
    Effect.map(Context.get(TokenCache))
  )

const get = (cache: TokenCache["Service"], ...args: Parameters<typeof requestOf>) =>
  Effect.map(cache.get(requestOf(...args)), ({ source, token }) => `${text(token)} ${source}`)

/** A cache that has the token "1" in memory, and the store it shares. */
const stage = Effect.gen(function* () {
  const made = yield* makeStore
  const cache = yield* makeCache(made.store)
  const server = makeServer(renewable)
  assert.strictEqual(yield* get(cache, server), "1 acquired")
  made.state.looks = 0
  return { ...made, cache, server }
})

describe("a token that another process removed from the store", () => {
  it.effect("a removed token is served no longer than the check interval, and not renewed", () =>
    Effect.gen(function* () {
      const { cache, server, shared } = yield* stage
      assert.strictEqual(text(yield* shared.remove(key)), "1")
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* get(cache, server), "2 acquired")
      assert.deepStrictEqual(server.previous, [undefined, undefined])
    })
  )

  it.effect("a removal is noticed in the background, without a caller that waits", () =>
    Effect.gen(function* () {
      const { cache, server, shared } = yield* stage
      yield* shared.remove(key)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* get(cache, server), "1 cache")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* get(cache, server), "2 acquired")
    })
  )

  it.effect("a removed token is not renewed, even at once", () =>
    Effect.gen(function* () {
      const { cache, server, shared } = yield* stage
      yield* shared.remove(key)
      assert.strictEqual(yield* get(cache, server, { forceRefresh: true }), "2 acquired")
      assert.deepStrictEqual(server.previous, [undefined, undefined])
    })
  )

  it.effect("a removed token is not served after the acquisition that noticed the removal has failed", () =>
    Effect.gen(function* () {
      const { cache, server, shared } = yield* stage
      yield* shared.remove(key)
      const refused = new StoreUnavailable({ problem: "unused" })
      const acquire = () => Effect.die(refused)
      yield* Effect.exit(get(cache, { acquire }, { forceRefresh: true }))
      assert.deepStrictEqual(yield* cache.list, [])
      assert.strictEqual(yield* get(cache, server), "2 acquired")
      assert.deepStrictEqual(server.previous, [undefined, undefined])
    })
  )

  it.effect("a removed token is not restored by a running renewal", () =>
    Effect.gen(function* () {
      const { cache, server, shared } = yield* stage
      const gate = makeGate()
      server.gate = gate.passed
      const renewing = yield* Effect.forkChild(get(cache, server, { forceRefresh: true }), {
        startImmediately: true
      })
      yield* shared.remove(key)
      yield* gate.open
      yield* Fiber.join(renewing)
      assert.strictEqual((yield* shared.get(key))._tag, "Removed")
      assert.strictEqual(yield* get(cache, server), "3 acquired")
      assert.deepStrictEqual(server.previous, [undefined, "1", undefined])
    })
  )

  for (const how of ["renewed", "put by a login"])
    it.effect(`a removed token is not restored by a late write of a token that was ${how} before`, () =>
      Effect.gen(function* () {
        const { cache, server, shared, state } = yield* stage
        yield* TestClock.adjust("1 second")
        if (how === "renewed") {
          server.gate = Effect.sync(() => void (state.away = true))
          assert.strictEqual(yield* get(cache, server, { forceRefresh: true }), "2 acquired")
        } else {
          state.away = true
          const token = tokenOf("login", { issuedAt: 1000, refreshToken: Redacted.make("r") })
          yield* Effect.flip(cache.put(key, token))
        }
        yield* TestClock.adjust("1 millis")
        yield* shared.remove(key)
        state.away = false
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* shared.get(key))._tag, "Removed")
        server.gate = Effect.void
        const before = server.count
        yield* get(cache, server)
        assert.isUndefined(server.previous[before])
      })
    )

  it.effect("a removal does not end a login in another process while a renewal was under way", () =>
    Effect.gen(function* () {
      const { cache, server, shared } = yield* stage
      const gate = makeGate()
      server.gate = gate.passed
      const renewal = yield* Effect.forkChild(get(cache, server, { forceRefresh: true }), {
        startImmediately: true
      })
      yield* cache.invalidate(key)
      const login = tokenOf("login", { refreshToken: Redacted.make("refresh-login") })
      yield* shared.set(key, login, Duration.infinity)
      yield* gate.open
      yield* Fiber.join(renewal)
      assert.strictEqual(text(yield* shared.get(key)), "login")
      assert.strictEqual(yield* get(cache, server), "login cache")
    })
  )

  it.effect("a removal does not end a login after it, although the store could not write that", () =>
    Effect.gen(function* () {
      const { cache, server, shared, state } = yield* stage
      yield* shared.remove(key)
      state.away = true
      yield* TestClock.adjust("1 second")
      const token = tokenOf("login", { issuedAt: 1000, refreshToken: Redacted.make("r") })
      yield* Effect.flip(cache.put(key, token))
      state.away = false
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(text(yield* shared.get(key)), "login")
      assert.strictEqual(yield* get(cache, server), "login cache")
    })
  )

  it.effect("a removed token can be replaced by a later login, in this process and in others", () =>
    Effect.gen(function* () {
      const { cache, server, shared } = yield* stage
      yield* shared.remove(key)
      yield* TestClock.adjust("4 seconds")
      yield* cache.put(key, tokenOf("login", { issuedAt: 4000 }))
      assert.strictEqual(yield* get(cache, server), "login cache")
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* get(cache, server), "login cache")
      yield* shared.remove(key)
      yield* shared.set(key, tokenOf("elsewhere", { issuedAt: 8000 }), Duration.infinity)
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* get(cache, server), "elsewhere cache")
      assert.strictEqual(server.count, 1)
    })
  )
})

describe("a store that lost its data", () => {
  it.effect("an emptied store gets the token back with the next renewal", () =>
    Effect.gen(function* () {
      const { cache, server, shared, state } = yield* stage
      state.answer = () => absent
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* get(cache, server), "1 cache")
      assert.strictEqual(yield* get(cache, server, { forceRefresh: true }), "2 acquired")
      assert.deepStrictEqual(server.previous, [undefined, "1"])
      assert.strictEqual(text(yield* shared.get(key)), "2")
    })
  )

  it.effect("a store restored from yesterday, whose refresh token is used up, gets the token back", () =>
    Effect.gen(function* () {
      const { cache, server, shared, state } = yield* stage
      const yesterday = yield* shared.get(key)
      assert.strictEqual(yield* get(cache, server, { forceRefresh: true }), "2 acquired")
      state.answer = () => yesterday
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* get(cache, server), "2 cache")
      yield* get(cache, server, { forceRefresh: true })
      assert.deepStrictEqual(server.previous, [undefined, "1", "2"])
    })
  )

  it.effect("a store may forget a removal after 30 days in which the process did not look it up", () =>
    Effect.gen(function* () {
      const { cache, server, state } = yield* stage
      state.answer = () => absent
      yield* TestClock.adjust("30 days")
      yield* get(cache, server)
      assert.deepStrictEqual(server.previous, [undefined, "1"])
      yield* TestClock.adjust("31 days")
      yield* get(cache, server)
      assert.deepStrictEqual(server.previous, [undefined, "1", undefined])
    })
  )
})

describe("the look into the store for a token in use", () => {
  it.effect("a hit within half of the interval does not look into the store", () =>
    Effect.gen(function* () {
      const { cache, server, state } = yield* stage
      for (let hit = 0; hit < 10; hit++) {
        yield* TestClock.adjust("199 millis")
        yield* get(cache, server)
      }
      assert.strictEqual(state.looks, 0)
    })
  )

  it.effect("one look-up serves all callers, who wait for it only after a whole interval", () =>
    Effect.gen(function* () {
      const made = yield* makeStore
      const gate = makeGate()
      const cache = yield* makeCache({
        ...made.store,
        get: (asked) =>
          Effect.andThen(made.state.looks === 1 ? gate.passed : Effect.void, made.store.get(asked))
      })
      const server = makeServer(renewable)
      yield* get(cache, server)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* get(cache, server), "1 cache")
      yield* TestClock.adjust("1999 millis")
      assert.strictEqual(yield* get(cache, server), "1 cache")
      yield* TestClock.adjust("1 millis")
      const waiting = yield* Effect.forEach([1, 2, 3], () =>
        Effect.forkChild(get(cache, server), { startImmediately: true })
      )
      for (const fiber of waiting) assert.isUndefined(fiber.pollUnsafe())
      yield* gate.open
      assert.deepStrictEqual(yield* Fiber.joinAll(waiting), ["1 cache", "1 cache", "1 cache"])
      assert.strictEqual(made.state.looks, 2)
    })
  )

  it.effect("a failed look-up leaves the token in use, and is repeated after the interval", () =>
    Effect.gen(function* () {
      const { cache, server, state } = yield* stage
      state.away = true
      for (let second = 0; second < 60; second++) {
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* get(cache, server), "1 cache")
      }
      assert.isAtMost(state.looks, 30)
      assert.isAtLeast(state.looks, 15)
    })
  )

  it.effect("without a store no look-up is made", () =>
    Effect.gen(function* () {
      const cache = Context.get(yield* Layer.build(SingleFlightTokenCache.layerMemory), TokenCache)
      const server = makeServer({ refreshToken: true })
      yield* cache.put(key, tokenOf("put"))
      yield* TestClock.adjust("1000 days")
      assert.strictEqual(yield* get(cache, server), "put cache")
      assert.isUndefined(tokenOfEntry(absent))
    })
  )
})
