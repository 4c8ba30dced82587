import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import {
  AuthorizationRequired,
  OAuthError,
  OAuthToken,
  StoreUnavailable,
  TokenCache
} from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenStore, type StoreEntry } from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { recordLog } from "./fileStores.ts"
import {
  keyOf,
  makeGate,
  makeServer,
  recordEvents,
  requestOf,
  text,
  tokenOf,
  withLeaseUnlessAway
} from "./fixtures.ts"

type Store = TokenStore["Service"]

/** Gives a new object for each token it is asked for, as a store outside of the process does. */
const makeStore = Effect.map(Layer.build(MemoryTokenStore.layer), (services): Store => {
  const memory = Context.get(services, TokenStore)
  const copy = (entry: StoreEntry): StoreEntry =>
    entry._tag === "Stored" ? { ...entry, token: new OAuthToken({ ...entry.token }) } : entry
  return {
    ...memory,
    get: (key) => Effect.map(memory.get(key), copy),
    lease: (...args) =>
      Effect.map(memory.lease(...args), (lease) => lease && { ...lease, found: copy(lease.found) })
  }
})

/** A cache as another process has it: only the store is shared. */
const makeCache = (store: Store) =>
  SingleFlightTokenCache.layer.pipe(
    Layer.provide(Layer.succeed(TokenStore, store)),
    Layer.build,
    Effect.map(Context.get(TokenCache))
  )

const get = (cache: TokenCache["Service"], ...args: Parameters<typeof requestOf>) =>
  Effect.map(cache.get(requestOf(...args)), ({ source, token }) => `${text(token)} ${source}`)

const refreshable = (name: string, issuedAt = 0) =>
  tokenOf(name, { issuedAt, expiresAt: issuedAt + 100_000, refreshToken: Redacted.make(`refresh-${name}`) })

const away = Effect.fail(new StoreUnavailable({ problem: "the lock service is down" }))

/** Meanwhile, elsewhere. */
const elsewhere = <A>(change: Effect.Effect<A, StoreUnavailable>) => Effect.orDie(change)

const start = { startImmediately: true } as const

const loginNeeded = new OAuthError({
  operation: "get an access token",
  serverName: "server",
  correlationId: "1",
  reason: new AuthorizationRequired({})
})

describe("two processes with one store", () => {
  it.effect("two processes renew a token once, and both have the new one", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      yield* store.set(keyOf("server"), refreshable("0"), Duration.infinity)
      yield* TestClock.adjust("100 seconds")
      const gate = makeGate()
      const server = makeServer({ expiresIn: 100, refreshToken: true })
      server.gate = gate.passed
      const caches = yield* Effect.all([makeCache(store), makeCache(store)])
      const asked = yield* Effect.forEach(caches, (cache) => Effect.forkChild(get(cache, server), start))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(server.previous, ["0"])
      yield* gate.open
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Effect.forEach(asked, Fiber.join), ["1 acquired", "1 acquired"])
      assert.strictEqual(server.count, 1)
    })
  )

  it.effect("two processes join each other's forced refresh, and never use a refresh token twice", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      yield* store.set(keyOf("server"), refreshable("0"), Duration.infinity)
      const server = makeServer({ expiresIn: 100, refreshToken: true })
      server.gate = Effect.sleep("100 millis")
      const caches = yield* Effect.all([makeCache(store), makeCache(store)])
      for (let round = 0; round < 20; round++) {
        const forced = yield* Effect.forEach(caches, (cache) =>
          Effect.forkChild(get(cache, server, { forceRefresh: true }), start)
        )
        yield* TestClock.adjust("2 seconds")
        const [one, other] = yield* Effect.forEach(forced, Fiber.join)
        assert.strictEqual(one, other)
      }
      assert.strictEqual(server.most, 1)
      assert.strictEqual(new Set(server.previous).size, server.count)
      assert.strictEqual(server.count, 20)
    })
  )

  it.effect("a process continues after another one stopped, whatever the other clock says", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      yield* TestClock.setTime(50_000)
      yield* store.set(keyOf("server"), refreshable("0", 50_000), Duration.infinity)
      const [ahead, behind] = yield* Effect.all([makeCache(store), makeCache(store)])
      const server = makeServer({ refreshToken: true })
      yield* get(ahead, server, { forceRefresh: true })
      yield* TestClock.setTime(40_000)
      yield* get(behind, server, { forceRefresh: true })
      yield* TestClock.setTime(50_000)
      yield* get(ahead, server, { forceRefresh: true })
      assert.deepStrictEqual(server.previous, ["0", "1", "2"])
    })
  )

  it.effect("a process does not wait for one that died longer than its lease", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      yield* store.set(keyOf("server"), refreshable("0"), Duration.infinity)
      yield* store.lease(keyOf("server"), Duration.seconds(10))
      const cache = yield* makeCache(store)
      const server = makeServer({ refreshToken: true })
      const asked = yield* Effect.forkChild(get(cache, server, { forceRefresh: true }), start)
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(server.count, 0)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(asked), "1 acquired")
    })
  )

  it.effect("a process waits for one that takes longer than a lease, as long as it lives", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      yield* store.set(keyOf("server"), refreshable("0"), Duration.infinity)
      const slow = makeServer({ refreshToken: true })
      slow.gate = Effect.sleep("60 seconds")
      const [one, other] = yield* Effect.all([makeCache(store), makeCache(store)])
      yield* Effect.forkChild(get(one, slow, { forceRefresh: true }), start)
      const server = makeServer()
      const waiting = yield* Effect.forkChild(get(other, server, { forceRefresh: true }), start)
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(server.count, 0)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(waiting), "1 acquired")
      assert.strictEqual(server.count, 0)
    })
  )

  it.effect("a process takes the token of another one at once, although the lease is taken again", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      yield* store.set(keyOf("server"), refreshable("0"), Duration.infinity)
      const lease = yield* store.lease(keyOf("server"), Duration.hours(1))
      const cache = yield* makeCache(store)
      const server = makeServer()
      const asked = yield* Effect.forkChild(get(cache, server, { forceRefresh: true }), start)
      yield* TestClock.adjust("10 seconds")
      assert.isUndefined(asked.pollUnsafe())
      yield* lease!.set(refreshable("theirs"), Duration.infinity)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(asked), "theirs acquired")
      assert.strictEqual(server.count, 0)
    })
  )

  it.effect("an old token is not taken for a new one when the first look-up failed", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      yield* store.set(keyOf("server"), refreshable("0"), Duration.infinity)
      const cache = yield* makeCache({ ...store, get: () => away })
      assert.strictEqual(yield* get(cache, makeServer(), { forceRefresh: true }), "1 acquired")
    })
  )

  it.effect("an acquisition that never ends in another process is an error", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      yield* store.set(keyOf("server"), refreshable("0"), Duration.infinity)
      yield* store.lease(keyOf("server"), Duration.hours(1))
      const cache = yield* makeCache(store)
      const asked = yield* Effect.forkChild(
        Effect.flip(cache.get(requestOf(makeServer(), { forceRefresh: true }))),
        start
      )
      yield* TestClock.adjust("3 minutes")
      const error = yield* Fiber.join(asked)
      assert.strictEqual(error.reason._tag, "StoreUnavailable")
      assert.include(error.message, "another process has been renewing this token for 2m")
    })
  )

  it.effect("a caller that stops waiting is released", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      yield* store.lease(keyOf("server"), Duration.hours(1))
      const cache = yield* makeCache(store)
      const server = makeServer()
      const asked = yield* Effect.forkChild(get(cache, server), start)
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(asked)
      assert.strictEqual(server.count, 0)
    })
  )
})

describe("a process that was stopped while it renewed a token", () => {
  it.effect("a process waits for the new token of another one that the store did not take at first", () =>
    Effect.gen(function* () {
      const shared = yield* makeStore
      yield* shared.set(keyOf("server"), refreshable("0"), Duration.infinity)
      const state = { away: true }
      const store = withLeaseUnlessAway(shared, () => state.away)
      const [one, other] = yield* Effect.all([makeCache(store), makeCache(shared)])
      const server = makeServer({ expiresIn: 100, refreshToken: true })
      yield* get(one, server, { forceRefresh: true })
      state.away = false
      const waiting = yield* Effect.forkChild(get(other, server, { forceRefresh: true }), start)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(server.previous, ["0"])
      assert.strictEqual(yield* Fiber.join(waiting), "1 acquired")
      yield* get(other, server, { forceRefresh: true })
      assert.deepStrictEqual(server.previous, ["0", "1"])
    })
  )

  it.effect(
    "a process does not wait for a token that another one could not store, longer than its lease",
    () =>
      Effect.gen(function* () {
        const shared = yield* makeStore
        yield* shared.set(keyOf("server"), refreshable("0"), Duration.infinity)
        const store = withLeaseUnlessAway(shared, () => true)
        const [one, other] = yield* Effect.all([makeCache(store), makeCache(shared)])
        const server = makeServer({ expiresIn: 100, refreshToken: true })
        yield* get(one, server, { forceRefresh: true })
        const waiting = yield* Effect.forkChild(get(other, server, { forceRefresh: true }), start)
        yield* TestClock.adjust("11 seconds")
        assert.strictEqual(yield* Fiber.join(waiting), "2 acquired")
      })
  )

  it.effect("a process that was stopped does not replace a newer token, and uses it", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      yield* store.set(keyOf("server"), refreshable("0"), Duration.infinity)
      const cache = yield* makeCache(store)
      const acquire = () =>
        Effect.as(
          elsewhere(store.set(keyOf("server"), refreshable("login"), Duration.infinity)),
          refreshable("late")
        )
      assert.strictEqual(yield* get(cache, { acquire }, { forceRefresh: true }), "login acquired")
      assert.strictEqual(text(yield* store.get(keyOf("server"))), "login")
      assert.strictEqual(yield* get(cache, makeServer()), "login cache")
    })
  )

  it.effect("a process that was stopped does not restore a removed token", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      yield* store.set(keyOf("server"), refreshable("0"), Duration.infinity)
      const cache = yield* makeCache(store)
      const acquire = () => Effect.as(elsewhere(store.remove(keyOf("server"))), refreshable("late"))
      assert.strictEqual(yield* get(cache, { acquire }, { forceRefresh: true }), "late acquired")
      assert.isUndefined(text(yield* store.get(keyOf("server"))))
      assert.strictEqual(yield* get(cache, makeServer()), "1 acquired")
    })
  )

  it.effect("a process takes the token of another one when its own grant seems to have ended", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      yield* store.set(keyOf("server"), refreshable("0"), Duration.infinity)
      const cache = yield* makeCache(store)
      const acquire = () =>
        Effect.andThen(
          elsewhere(store.set(keyOf("server"), refreshable("theirs"), Duration.infinity)),
          Effect.fail(loginNeeded)
        )
      assert.strictEqual(yield* get(cache, { acquire }, { forceRefresh: true }), "theirs acquired")
      assert.strictEqual(text(yield* store.get(keyOf("server"))), "theirs")
    })
  )

  it.effect("a token that must not be stored is removed only if it is unchanged", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      yield* store.set(keyOf("server"), tokenOf("0"), Duration.infinity)
      const cache = yield* makeCache(store)
      const acquire = () =>
        Effect.as(
          elsewhere(store.set(keyOf("server"), tokenOf("theirs"), Duration.infinity)),
          tokenOf("once", { reusable: false })
        )
      assert.strictEqual(yield* get(cache, { acquire }, { forceRefresh: true }), "once acquired")
      assert.strictEqual(text(yield* store.get(keyOf("server"))), "theirs")
    })
  )
})

describe("an unavailable lock", () => {
  it.effect("an unavailable lock is an error that says why, and the refresh token is not sent", () => {
    const recorded = recordEvents()
    return Effect.gen(function* () {
      const store = yield* makeStore
      yield* store.set(keyOf("server"), refreshable("0"), Duration.infinity)
      const cache = yield* makeCache({ ...store, lease: () => away })
      const server = makeServer()
      const error = yield* Effect.flip(cache.get(requestOf(server, { forceRefresh: true })))
      assert.strictEqual(error.reason._tag, "StoreUnavailable")
      assert.include(error.message, "the lock service is down")
      assert.strictEqual(server.count, 0)
      assert.deepInclude(recorded.events.at(-1), {
        _tag: "AcquisitionFailed",
        refresh: true,
        reason: "StoreUnavailable"
      })
    }).pipe(Effect.provide(recorded.layer))
  })

  it.effect("an unavailable lock does not keep the client from getting its own token", () => {
    const log = recordLog()
    return Effect.gen(function* () {
      const store = yield* makeStore
      const cache = yield* makeCache({ ...store, lease: () => away })
      assert.strictEqual(yield* get(cache, makeServer()), "1 acquired")
      assert.deepStrictEqual(log.lines, [
        "Warn The token store could not be locked: the lock service is down"
      ])
    }).pipe(Effect.provide(log.layer))
  })
})

describe("a grant that has ended", () => {
  it.effect("an ended grant is refreshed as the same token each time", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      yield* store.set(keyOf("server"), refreshable("0"), Duration.infinity)
      yield* TestClock.adjust("100 seconds")
      const cache = yield* makeCache(store)
      const seen = new Set<unknown>()
      const acquire = (previous: unknown) =>
        Effect.andThen(
          Effect.sync(() => seen.add(previous)),
          Effect.fail(loginNeeded)
        )
      for (let time = 0; time < 3; time++) yield* Effect.flip(cache.get(requestOf({ acquire })))
      assert.strictEqual(seen.size, 1)
      yield* store.set(keyOf("server"), refreshable("login", 100_000), Duration.infinity)
      assert.strictEqual(yield* get(cache, makeServer()), "login cache")
    })
  )
})
