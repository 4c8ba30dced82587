import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { TokenCache, type OAuthToken, type TokenCacheRequest } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, tokenOfEntry, TokenStore } from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { keyOf, makeServer, refusedBy, requestOf, text, tokenOf, withLeaseUnlessAway } from "./fixtures.ts"

const key = keyOf("server")

const refreshToken = (token: OAuthToken | undefined) =>
  token?.refreshToken && Redacted.value(token.refreshToken)

/** A rotating server whose access tokens must not be served: all of them are empty, and only refresh tokens differ. */
const makeRefusedServer = () => {
  const sent: Array<string | undefined> = []
  const acquire: TokenCacheRequest["acquire"] = (previous, keep) =>
    Effect.gen(function* () {
      sent.push(refreshToken(previous))
      const next = Redacted.make(`refresh-${sent.length}`)
      yield* keep(tokenOf("", { reusable: false, refreshToken: next }))
      return yield* refusedBy(`attempt-${sent.length}`)
    })
  return { sent, acquire }
}

const stage = Effect.gen(function* () {
  const services = yield* Layer.build(
    SingleFlightTokenCache.layer.pipe(Layer.provideMerge(MemoryTokenStore.layer))
  )
  const [cache, store] = [Context.get(services, TokenCache), Context.get(services, TokenStore)]
  const first = tokenOf("first", { expiresAt: 100_000, refreshToken: Redacted.make("refresh-0") })
  yield* cache.put(key, first)
  const stored = Effect.map(store.get(key), tokenOfEntry)
  return { cache, store, stored, server: makeRefusedServer() }
})

const fail = (cache: TokenCache["Service"], ...args: Parameters<typeof requestOf>) =>
  Effect.map(Effect.flip(cache.get(requestOf(...args))), ({ correlationId }) => correlationId)

describe("a new refresh token beside an unusable access token", () => {
  it.effect("a new refresh token is stored before its acquisition fails, and the next attempt sends it", () =>
    Effect.gen(function* () {
      const { cache, server, stored } = yield* stage
      yield* TestClock.adjust("100 seconds")
      assert.strictEqual(yield* fail(cache, server), "attempt-1")
      assert.strictEqual(refreshToken(yield* stored), "refresh-1")
      assert.isFalse((yield* stored)?.reusable)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* fail(cache, server), "attempt-2")
      assert.strictEqual(refreshToken(yield* stored), "refresh-2")
      yield* TestClock.adjust("2 seconds")
      const good = makeServer({ refreshToken: true })
      yield* cache.get(requestOf(good))
      assert.deepStrictEqual(server.sent, ["refresh-0", "refresh-1"])
      assert.deepStrictEqual(good.previous, [""])
      assert.strictEqual(refreshToken(yield* stored), "refresh-1")
    })
  )

  it.effect(
    "callers wait 1 s, 2 s, 4 s ... at most 30 s for another attempt, and all get the same error",
    () =>
      Effect.gen(function* () {
        const { cache, server } = yield* stage
        yield* TestClock.adjust("100 seconds")
        const attempts: Array<number> = []
        for (let second = 0; second < 130; second++) {
          const before = server.sent.length
          const errors = [
            yield* fail(cache, server),
            yield* fail(cache, server, { forceRefresh: true }),
            yield* fail(cache, server)
          ]
          assert.deepStrictEqual(new Set(errors), new Set([`attempt-${server.sent.length}`]))
          if (server.sent.length > before) attempts.push(second)
          yield* TestClock.adjust("1 second")
        }
        assert.deepStrictEqual(attempts, [0, 1, 3, 7, 15, 31, 61, 91, 121])
        assert.strictEqual(server.sent.length, attempts.length)
      })
  )

  it.effect("a new refresh token is stored with the earlier access token, as long as that is valid", () =>
    Effect.gen(function* () {
      const { cache, server, stored } = yield* stage
      assert.strictEqual(yield* fail(cache, server, { forceRefresh: true }), "attempt-1")
      const { source, token } = yield* cache.get(requestOf(server))
      assert.deepStrictEqual([text(token), source], ["first", "cache"])
      assert.deepInclude(yield* stored, { expiresAt: 100_000, reusable: true })
      assert.strictEqual(refreshToken(yield* stored), "refresh-1")
      yield* TestClock.adjust("100 seconds")
      yield* fail(cache, server)
      assert.deepStrictEqual(server.sent, ["refresh-0", "refresh-1"])
    })
  )

  it.effect("a refused access token is not served beside a new refresh token", () =>
    Effect.gen(function* () {
      const { cache, server } = yield* stage
      yield* fail(cache, server, { refused: Redacted.make("first") })
      assert.strictEqual(yield* fail(cache, server), "attempt-1")
    })
  )

  it.effect("a new refresh token of a login is stored as such, and renewed by the next request", () =>
    Effect.gen(function* () {
      const { cache, stored } = yield* stage
      yield* cache.put(key, tokenOf("", { reusable: false, refreshToken: Redacted.make("login") }))
      assert.strictEqual(refreshToken(yield* stored), "login")
      const good = makeServer({ refreshToken: true })
      const { source, token } = yield* cache.get(requestOf(good))
      assert.deepStrictEqual([text(token), source], ["1", "acquired"])
      assert.deepStrictEqual(good.previous, [""])
    })
  )

  it.effect("a new refresh token stays in memory, and is stored later, if the store does not take it", () =>
    Effect.gen(function* () {
      const shared = Context.get(yield* Layer.build(MemoryTokenStore.layer), TokenStore)
      const state = { away: false }
      const store = withLeaseUnlessAway(shared, () => state.away)
      const cache = Context.get(
        yield* Layer.build(
          SingleFlightTokenCache.layer.pipe(Layer.provide(Layer.succeed(TokenStore, store)))
        ),
        TokenCache
      )
      yield* cache.put(key, tokenOf("first", { reusable: false, refreshToken: Redacted.make("refresh-0") }))
      const server = makeRefusedServer()
      state.away = true
      yield* fail(cache, server)
      assert.strictEqual(refreshToken(tokenOfEntry(yield* shared.get(key))), "refresh-0")
      yield* TestClock.adjust("1 second")
      const second = yield* Effect.forkChild(fail(cache, server))
      yield* TestClock.adjust("11 seconds")
      yield* Fiber.join(second)
      assert.deepStrictEqual(server.sent, ["refresh-0", "refresh-1"])
      state.away = false
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(refreshToken(tokenOfEntry(yield* shared.get(key))), "refresh-2")
    })
  )

  it.effect("a new refresh token does not restore a token that was removed meanwhile", () =>
    Effect.gen(function* () {
      const { cache, store } = yield* stage
      const acquire: TokenCacheRequest["acquire"] = (_, keep) =>
        Effect.gen(function* () {
          yield* Effect.orDie(store.remove(key))
          yield* keep(tokenOf("", { reusable: false, refreshToken: Redacted.make("late") }))
          return yield* refusedBy("1")
        })
      yield* fail(cache, { acquire }, { forceRefresh: true })
      assert.strictEqual((yield* store.get(key))._tag, "Removed")
      const server = makeServer()
      yield* cache.get(requestOf(server))
      assert.deepStrictEqual(server.previous, [undefined])
    })
  )

  it.effect("a new refresh token of the client itself is stored although no caller waits any more", () =>
    Effect.gen(function* () {
      const { cache, stored } = yield* stage
      yield* cache.invalidate(key)
      const acquire: TokenCacheRequest["acquire"] = (_, keep) =>
        Effect.andThen(
          keep(tokenOf("", { reusable: false, refreshToken: Redacted.make("new") })),
          Effect.sleep(Duration.seconds(10)).pipe(
            Effect.as(tokenOf("checked", { refreshToken: Redacted.make("new") }))
          )
        )
      const caller = yield* Effect.forkChild(cache.get(requestOf({ acquire })), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(refreshToken(yield* stored), "new")
      caller.interruptUnsafe()
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(text(yield* stored), "checked")
    })
  )
})
