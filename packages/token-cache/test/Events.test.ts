import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { TokenCache } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenStore } from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { keyOf, makeServer, recordEvents, refusedBy, requestOf, tokenOf } from "./fixtures.ts"

const get = Effect.fnUntraced(function* (...args: Parameters<typeof requestOf>) {
  return yield* (yield* TokenCache).get(requestOf(...args))
})

const start = <A, E, R>(caller: Effect.Effect<A, E, R>) =>
  Effect.forkChild(caller, { startImmediately: true })

const recorded = () => {
  const record = recordEvents()
  const layer = SingleFlightTokenCache.layer.pipe(
    Layer.provide(record.layer),
    Layer.provideMerge(MemoryTokenStore.layer)
  )
  return { ...record, provided: Effect.provide(layer) }
}

describe("events", () => {
  it.effect(
    "the leader and joining callers are misses, later callers are hits; the acquisition counts once",
    () => {
      const { events, provided } = recorded()
      return Effect.gen(function* () {
        const server = makeServer()
        server.gate = Effect.sleep("3 seconds")
        const callers = yield* Effect.forEach([1, 2], () => start(get(server)))
        yield* TestClock.adjust("3 seconds")
        yield* Fiber.joinAll(callers)
        yield* get(server)
        const serverName = "server"
        assert.deepStrictEqual(events, [
          { _tag: "CacheMiss", serverName },
          { _tag: "CacheMiss", serverName },
          { _tag: "TokenAcquired", serverName, duration: Duration.seconds(3), refresh: false },
          { _tag: "CacheHit", serverName }
        ])
      }).pipe(provided)
    }
  )

  it.effect("a renewal in the background is a hit and a refresh", () => {
    const { events, provided, tags } = recorded()
    return Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100 })
      yield* get(server)
      yield* TestClock.setTime(95_000)
      yield* get(server)
      assert.deepStrictEqual(tags(), ["CacheMiss", "TokenAcquired", "CacheHit", "TokenAcquired"])
      assert.propertyVal(events.at(-1), "refresh", true)
    }).pipe(provided)
  })

  it.effect("a failure reports its reason, its duration and its purpose", () => {
    const { events, provided } = recorded()
    return Effect.gen(function* () {
      const server = makeServer()
      yield* get(server)
      server.failure = refusedBy("one")
      server.gate = Effect.sleep("10 seconds")
      const caller = yield* start(Effect.flip(get(server, { refused: Redacted.make("1") })))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(caller)
      assert.deepStrictEqual(events.at(-1), {
        _tag: "AcquisitionFailed",
        serverName: "server",
        duration: Duration.seconds(10),
        refresh: true,
        reason: "RequestTimeout"
      })
    }).pipe(provided)
  })

  it.effect("the events of a person's token name the person, and those of the client's own nobody", () => {
    const { events, provided } = recorded()
    const subjects = () => events.map((event) => [event._tag, "subject" in event ? event.subject : "absent"])
    return Effect.gen(function* () {
      const cache = yield* TokenCache
      const server = makeServer()
      const key = { ...keyOf("server"), subject: "alice" }
      yield* get(server, { key })
      yield* cache.invalidate(key)
      yield* get(server)
      yield* cache.invalidate(keyOf("server"))
      server.failure = refusedBy("one")
      yield* Effect.flip(get(server, { key }))
      yield* Effect.flip(get(server))
      assert.deepStrictEqual(
        subjects().filter(([tag]) => tag !== "CacheMiss"),
        [
          ["TokenAcquired", "alice"],
          ["TokenInvalidated", "alice"],
          ["TokenAcquired", "absent"],
          ["TokenInvalidated", "absent"],
          ["AcquisitionFailed", "alice"],
          ["AcquisitionFailed", "absent"]
        ]
      )
    }).pipe(provided)
  })

  it.effect("a valid token in the store is a hit", () => {
    const { provided, tags } = recorded()
    return Effect.gen(function* () {
      yield* (yield* TokenStore).set(keyOf("server"), tokenOf("kept"), Duration.infinity)
      yield* get(makeServer())
      assert.deepStrictEqual(tags(), ["CacheHit"])
    }).pipe(provided)
  })

  it.effect("an invalidation counts when there was a token", () => {
    const { provided, tags } = recorded()
    return Effect.gen(function* () {
      const cache = yield* TokenCache
      yield* cache.invalidate(keyOf("server"))
      assert.deepStrictEqual(tags(), [])
      yield* get(makeServer())
      yield* cache.invalidate(keyOf("server"))
      assert.deepStrictEqual(tags().slice(2), ["TokenInvalidated"])
    }).pipe(provided)
  })

  for (const refreshToken of [true, false])
    it.effect(
      `a token that runs out counts once, ${refreshToken ? "with" : "without"} a refresh token`,
      () => {
        const { provided, tags } = recorded()
        return Effect.gen(function* () {
          const cache = yield* TokenCache
          const server = makeServer({ expiresIn: 100, refreshToken })
          yield* get(server)
          server.failure = refusedBy("one")
          yield* TestClock.setTime(100_000)
          yield* Effect.flip(get(server))
          yield* Effect.flip(get(server))
          yield* cache.list
          yield* TestClock.adjust("1 day")
          assert.strictEqual(tags().filter((tag) => tag === "TokenExpired").length, 1)
        }).pipe(provided)
      }
    )

  it.effect("an idle token that expires is reported within a minute after its end", () => {
    const { provided, tags } = recorded()
    return Effect.gen(function* () {
      yield* get(makeServer({ expiresIn: 100 }))
      yield* TestClock.adjust("160 seconds")
      assert.deepStrictEqual(tags(), ["CacheMiss", "TokenAcquired", "TokenExpired"])
    }).pipe(provided)
  })

  it.effect("neither a refused nor a renewed token runs out", () => {
    const { provided, tags } = recorded()
    return Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100 })
      yield* get(server)
      yield* get(server, { forceRefresh: true })
      server.failure = refusedBy("one")
      yield* Effect.flip(get(server, { refused: Redacted.make("2") }))
      yield* TestClock.adjust("1 hour")
      assert.notInclude(tags(), "TokenExpired")
    }).pipe(provided)
  })
})
