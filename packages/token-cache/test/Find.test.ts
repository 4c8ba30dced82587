import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { StoreUnavailable, TokenCache, type TokenKey } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenCapacity, TokenStore } from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { keyOf, makeGate, makeServer, recordEvents, requestOf, text, tokenOf } from "./fixtures.ts"

type Store = TokenStore["Service"]

const key = keyOf("server")

const get = (...args: Parameters<typeof requestOf>) =>
  Effect.flatMap(TokenCache, (cache) => cache.get(requestOf(...args)))

const find = (wanted: TokenKey = key) =>
  Effect.flatMap(TokenCache, (cache) => Effect.map(cache.find(wanted), text))

/** A cache over the memory store with some operations replaced. */
const over = (change: (store: Store) => Partial<Store>) =>
  SingleFlightTokenCache.layer.pipe(
    Layer.provideMerge(
      Layer.effect(
        TokenStore,
        Effect.map(TokenStore, (store) => ({ ...store, ...change(store) }))
      ).pipe(Layer.provide(MemoryTokenStore.layer))
    )
  )

const away = Effect.fail(new StoreUnavailable({ problem: "the disk is full" }))

describe("finding the token that is kept", () => {
  it.effect("the token in memory is found without the store, and none of another key", () => {
    let asked = 0
    const layer = over((store) => ({
      get: (wanted) => Effect.suspend(() => ((asked += 1), store.get(wanted)))
    }))
    return Effect.gen(function* () {
      assert.isUndefined(yield* find())
      yield* get(makeServer())
      const before = asked
      assert.strictEqual(yield* find(), "1")
      assert.strictEqual(asked, before)
      assert.isUndefined(yield* find({ ...key, subject: "somebody" }))
    }).pipe(Effect.provide(layer))
  })

  it.effect("the token that only the store has is found, and stays there alone", () =>
    Effect.gen(function* () {
      yield* (yield* TokenStore).set(key, tokenOf("stored"), Duration.infinity)
      assert.strictEqual(yield* find(), "stored")
      yield* (yield* TokenStore).remove(key)
      assert.isUndefined(yield* find())
    }).pipe(Effect.provide(over(() => ({}))))
  )

  for (const where of ["memory", "the store"])
    it.effect(`a token with a refresh token is found in ${where} after its expiry, and is not renewed`, () =>
      Effect.gen(function* () {
        const server = makeServer({ expiresIn: 100, refreshToken: true })
        if (where === "memory") yield* get(server)
        else
          yield* (yield* TokenStore).set(
            key,
            tokenOf("1", { expiresAt: 100_000, refreshToken: Redacted.make("refresh") }),
            Duration.infinity
          )
        yield* TestClock.adjust("2 days")
        assert.strictEqual(yield* find(), "1")
        assert.strictEqual(server.count, where === "memory" ? 1 : 0)
      }).pipe(Effect.provide(over(() => ({}))))
    )

  it.effect("an expired token without a refresh token gives way to what another process has stored", () =>
    Effect.gen(function* () {
      yield* get(makeServer({ expiresIn: 100 }))
      yield* TestClock.setTime(100_000)
      assert.isUndefined(yield* find())
      yield* (yield* TokenStore).set(key, tokenOf("theirs"), Duration.infinity)
      assert.strictEqual(yield* find(), "theirs")
    }).pipe(Effect.provide(over(() => ({}))))
  )

  it.effect(
    "a token is not found from the moment it is being removed, although the store still has it",
    () => {
      const gate = makeGate()
      const layer = over((store) => ({
        remove: (wanted) => Effect.andThen(gate.passed, store.remove(wanted))
      }))
      return Effect.gen(function* () {
        yield* get(makeServer())
        const removal = yield* Effect.forkChild((yield* TokenCache).invalidate(key), {
          startImmediately: true
        })
        assert.strictEqual(text(yield* (yield* TokenStore).get(key)), "1")
        assert.isUndefined(yield* find())
        yield* gate.open
        yield* Fiber.join(removal)
        assert.isUndefined(yield* find())
      }).pipe(Effect.provide(layer))
    }
  )

  it.effect("a store that is away is an error, except for a token that is in memory", () => {
    let isAway = false
    const layer = over((store) => ({
      get: (wanted) => Effect.suspend(() => (isAway ? away : store.get(wanted)))
    }))
    return Effect.gen(function* () {
      yield* get(makeServer())
      isAway = true
      assert.strictEqual(yield* find(), "1")
      const error = yield* Effect.flip(find(keyOf("other")))
      assert.deepStrictEqual(
        [error.reason._tag, error.operation, error.serverName],
        ["StoreUnavailable", "find the token", "other"]
      )
      assert.include(error.message, "the disk is full")
    }).pipe(Effect.provide(layer))
  })

  it.effect("finding a token is neither counted nor a use: it is evicted first all the same", () => {
    const { layer, tags } = recordEvents()
    return Effect.gen(function* () {
      const server = makeServer()
      for (const name of ["a", "b"]) yield* get(server, { key: keyOf(name) })
      const before = tags()
      assert.strictEqual(yield* find(keyOf("a")), "1")
      assert.isUndefined(yield* find(keyOf("c")))
      assert.deepStrictEqual(tags(), before)
      yield* get(server, { key: keyOf("c") })
      assert.isUndefined(yield* find(keyOf("a")))
      assert.strictEqual(yield* find(keyOf("b")), "2")
    }).pipe(
      Effect.provide(
        SingleFlightTokenCache.layerMemory.pipe(
          Layer.provide(Layer.succeed(TokenCapacity, 2)),
          Layer.provide(layer)
        )
      )
    )
  })
})
