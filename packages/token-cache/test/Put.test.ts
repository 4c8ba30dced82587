import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { StoreUnavailable, TokenCache } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenStore } from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { keyOf, makeGate, makeServer, recordEvents, refusedBy, requestOf, text, tokenOf } from "./fixtures.ts"

const key = keyOf("server")
const refreshable = { refreshToken: Redacted.make("refresh") }

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

describe("put", () => {
  it.effect("a token that was put is served from then on, and stored", () => {
    const { layer, tags } = recordEvents()
    return Effect.gen(function* () {
      const cache = yield* TokenCache
      const server = makeServer()
      yield* cache.get(requestOf(server))
      yield* cache.put(key, tokenOf("put"))
      const { source, token } = yield* cache.get(requestOf(server))
      assert.deepStrictEqual([source, text(token)], ["cache", "put"])
      const store = yield* TokenStore
      assert.strictEqual(text(yield* store.get(key)), "put")
      assert.strictEqual(server.count, 1)
      assert.deepStrictEqual(tags(), ["CacheMiss", "TokenAcquired", "CacheHit"])
    }).pipe(
      Effect.provide(
        SingleFlightTokenCache.layer.pipe(Layer.provideMerge(MemoryTokenStore.layer), Layer.provide(layer))
      )
    )
  })

  it.effect("a put waits for a running acquisition, whose token does not replace it", () =>
    Effect.gen(function* () {
      const cache = yield* TokenCache
      const server = makeServer()
      const gate = makeGate()
      server.gate = gate.passed
      const caller = yield* start(cache.get(requestOf(server)))
      const putting = yield* start(cache.put(key, tokenOf("put")))
      yield* gate.open
      assert.strictEqual(text((yield* Fiber.join(caller)).token), "1")
      yield* Fiber.join(putting)
      assert.strictEqual(text((yield* cache.get(requestOf(server))).token), "put")
    }).pipe(Effect.provide(SingleFlightTokenCache.layerMemory))
  )

  it.effect("a put reports that the store did not take the token, and serves it all the same", () => {
    const unwritable = Layer.effect(
      TokenStore,
      Effect.map(TokenStore, (store) => ({
        ...store,
        set: () => Effect.fail(new StoreUnavailable({ problem: "the disk is full" }))
      }))
    ).pipe(Layer.provide(MemoryTokenStore.layer))
    return Effect.gen(function* () {
      const cache = yield* TokenCache
      const error = yield* Effect.flip(cache.put(key, tokenOf("put")))
      assert.deepStrictEqual(
        [error.reason._tag, error.operation, error.reason.message.includes("the disk is full")],
        ["StoreUnavailable", "keep the token", true]
      )
      const { source, token } = yield* cache.get(requestOf(makeServer()))
      assert.deepStrictEqual([source, text(token)], ["cache", "put"])
    }).pipe(Effect.provide(SingleFlightTokenCache.layer.pipe(Layer.provide(unwritable))))
  })

  it.effect("a put succeeds although the acquisition before it fails", () =>
    Effect.gen(function* () {
      const cache = yield* TokenCache
      const server = makeServer()
      const gate = makeGate()
      server.gate = gate.passed
      server.failure = refusedBy("one")
      const caller = yield* start(Effect.flip(cache.get(requestOf(server))))
      const putting = yield* start(cache.put(key, tokenOf("put")))
      yield* gate.open
      yield* Fiber.join(caller)
      yield* Fiber.join(putting)
      assert.strictEqual(text((yield* cache.get(requestOf(server))).token), "put")
    }).pipe(Effect.provide(SingleFlightTokenCache.layerMemory))
  )
})

describe("a token that is insufficient for one caller", () => {
  it.effect("a token insufficient for one caller is replaced for it and served to others meanwhile", () =>
    Effect.gen(function* () {
      const cache = yield* TokenCache
      const server = makeServer()
      const { token: narrow } = yield* cache.get(requestOf(server))
      const gate = makeGate()
      server.gate = gate.passed
      const insufficient = narrow.accessToken
      const wanting = yield* start(cache.get(requestOf(server, { insufficient })))
      assert.strictEqual(text((yield* cache.get(requestOf(server))).token), "1")
      yield* gate.open
      assert.strictEqual(text((yield* Fiber.join(wanting)).token), "2")
      assert.strictEqual(text((yield* cache.get(requestOf(server, { insufficient }))).token), "2")
      assert.strictEqual(server.count, 2)
    }).pipe(Effect.provide(SingleFlightTokenCache.layerMemory))
  )

  it.effect("an insufficient token stays when no other one can be obtained", () =>
    Effect.gen(function* () {
      const cache = yield* TokenCache
      const server = makeServer()
      const { token } = yield* cache.get(requestOf(server))
      server.failure = refusedBy("one")
      yield* Effect.flip(cache.get(requestOf(server, { insufficient: token.accessToken })))
      assert.strictEqual(text((yield* cache.get(requestOf(server))).token), "1")
    }).pipe(Effect.provide(SingleFlightTokenCache.layerMemory))
  )

  it.effect("an insufficient token is not taken from the store either", () =>
    Effect.gen(function* () {
      const cache = yield* TokenCache
      const store = yield* TokenStore
      const server = makeServer()
      const stored = tokenOf("stored", { issuedAt: 1 })
      yield* store.set(key, stored, Duration.hours(1))
      const { token } = yield* cache.get(requestOf(server, { insufficient: stored.accessToken }))
      assert.strictEqual(text(token), "1")
      assert.deepStrictEqual(server.previous, ["stored"])
    }).pipe(Effect.provide(SingleFlightTokenCache.layer.pipe(Layer.provideMerge(MemoryTokenStore.layer))))
  )
})

describe("an acquisition that may use up a refresh token", () => {
  it.effect("an acquisition with a refresh token continues without callers, and is stored", () =>
    Effect.gen(function* () {
      const cache = yield* TokenCache
      const server = makeServer({ refreshToken: true })
      yield* cache.put(key, tokenOf("put", refreshable))
      const gate = makeGate()
      server.gate = gate.passed
      const only = yield* start(cache.get(requestOf(server, { forceRefresh: true })))
      yield* Fiber.interrupt(only)
      assert.strictEqual(server.interrupted, 0)
      const next = yield* start(cache.get(requestOf(server, { forceRefresh: true })))
      yield* gate.open
      assert.strictEqual(text((yield* Fiber.join(next)).token), "1")
      assert.deepStrictEqual(server.previous, ["put"], "one refresh, which the second caller joined")
      assert.strictEqual(text((yield* cache.get(requestOf(server))).token), "1")
    }).pipe(Effect.provide(SingleFlightTokenCache.layerMemory))
  )

  it.effect("a closing cache waits for an acquisition that may use up a refresh token", () =>
    Effect.gen(function* () {
      const server = makeServer({ refreshToken: true })
      const gate = makeGate()
      const store = yield* TokenStore
      const use = Effect.gen(function* () {
        const cache = yield* TokenCache
        yield* cache.put(key, tokenOf("put", refreshable))
        server.gate = gate.passed
        yield* start(Effect.ignore(cache.get(requestOf(server, { forceRefresh: true }))))
      })
      const closing = yield* start(
        Effect.provide(
          use,
          SingleFlightTokenCache.layer.pipe(Layer.provide(Layer.succeed(TokenStore, store)), Layer.fresh)
        )
      )
      yield* gate.open
      yield* Fiber.join(closing)
      assert.strictEqual(text(yield* store.get(key)), "1")
      assert.strictEqual(server.interrupted, 0)
    }).pipe(Effect.provide(MemoryTokenStore.layer))
  )
})
