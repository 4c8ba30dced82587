import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { StoreUnavailable, TokenCache, type OAuthToken } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenStore } from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { keyOf, makeGate, makeServer, requestOf, text, tokenOf } from "./fixtures.ts"

const key = keyOf("server")
const start = { startImmediately: true } as const

const makeStore = Effect.map(Layer.build(MemoryTokenStore.layer), Context.get(TokenStore))

/** A cache as another process has it: only the store is shared. */
const makeCache = (store: TokenStore["Service"]) =>
  SingleFlightTokenCache.layer.pipe(
    Layer.provide(Layer.succeed(TokenStore, store)),
    Layer.build,
    Effect.map(Context.get(TokenCache))
  )

const stage = Effect.gen(function* () {
  const store = yield* makeStore
  const [one, other] = yield* Effect.all([makeCache(store), makeCache(store)])
  const server = makeServer({ expiresIn: 3600, refreshToken: true })
  for (const cache of [one, other]) yield* cache.get(requestOf(server))
  return { store, one, other, server }
})

/** An authorization server that notes what it is told to revoke. */
const makeRevocation = () => {
  const revoked: Array<string | undefined> = []
  const revoke = (token: OAuthToken) => Effect.sync(() => void revoked.push(text(token)))
  return { revoked, revoke }
}

describe("TokenCache.revoke", () => {
  it.effect("revoke takes the token that another process has renewed, not the older one in memory", () =>
    Effect.gen(function* () {
      const { one, other, server, store } = yield* stage
      yield* other.get(requestOf(server, { forceRefresh: true }))
      const { revoke, revoked } = makeRevocation()
      yield* one.revoke(key, revoke)
      assert.deepStrictEqual(revoked, ["2"])
      assert.strictEqual((yield* store.get(key))._tag, "Removed")
      yield* one.get(requestOf(server))
      assert.deepStrictEqual(server.previous, [undefined, "1", undefined])
    })
  )

  for (const where of ["here", "in another process"])
    it.effect(`revoke waits for a running renewal ${where}, and revokes its token`, () =>
      Effect.gen(function* () {
        const { one, other, server, store } = yield* stage
        const gate = makeGate()
        server.gate = gate.passed
        const renewing = yield* Effect.forkChild(
          (where === "here" ? one : other).get(requestOf(server, { forceRefresh: true })),
          start
        )
        const { revoke, revoked } = makeRevocation()
        const revoking = yield* Effect.forkChild(one.revoke(key, revoke), start)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(revoked, [])
        yield* gate.open
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(renewing)
        yield* Fiber.join(revoking)
        assert.deepStrictEqual(revoked, ["2"])
        assert.strictEqual((yield* store.get(key))._tag, "Removed")
      })
    )

  it.effect("revoke takes a token that only memory has", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      const away = Effect.fail(new StoreUnavailable({ problem: "away" }))
      const cache = yield* makeCache({ ...store, set: () => away })
      yield* Effect.flip(cache.put(key, tokenOf("login", { refreshToken: Redacted.make("r") })))
      const { revoke, revoked } = makeRevocation()
      yield* cache.revoke(key, revoke)
      assert.deepStrictEqual(revoked, ["login"])
    })
  )

  it.effect("an interrupted revoke that waits for its turn has not removed the token", () =>
    Effect.gen(function* () {
      const { one, server, store } = yield* stage
      yield* store.lease(key, Duration.hours(1))
      const { revoke, revoked } = makeRevocation()
      const revoking = yield* Effect.forkChild(one.revoke(key, revoke), start)
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(revoking)
      assert.deepStrictEqual(revoked, [])
      assert.strictEqual(text(yield* store.get(key)), "1")
      assert.strictEqual((yield* one.get(requestOf(server))).source, "cache")
    })
  )

  it.effect("a revoke continues when it is interrupted after the token was removed", () =>
    Effect.gen(function* () {
      const { one, store } = yield* stage
      const gate = makeGate()
      const { revoke, revoked } = makeRevocation()
      const revoking = yield* Effect.forkChild(
        one.revoke(key, (token) => Effect.andThen(gate.passed, revoke(token))),
        start
      )
      assert.strictEqual((yield* store.get(key))._tag, "Removed")
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(revoking), start)
      yield* gate.open
      yield* Fiber.join(interrupting)
      assert.deepStrictEqual(revoked, ["1"])
    })
  )

  it.effect("revoke leaves the token when the store cannot remove it, and reports that", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      const away = Effect.fail(new StoreUnavailable({ problem: "away" }))
      const cache = yield* makeCache({ ...store, remove: () => away })
      const server = makeServer({ refreshToken: true })
      yield* cache.get(requestOf(server))
      const { revoke, revoked } = makeRevocation()
      const error = yield* Effect.flip(cache.revoke(key, revoke))
      assert.deepStrictEqual(
        [error.operation, error.reason._tag, error.serverName],
        ["revoke the access token", "StoreUnavailable", "server"]
      )
      assert.deepStrictEqual(revoked, [])
      assert.strictEqual((yield* cache.get(requestOf(server))).source, "cache")
    })
  )

  it.effect("revoke gives the token to one of two callers, and nothing where there is none", () =>
    Effect.gen(function* () {
      const { one } = yield* stage
      const { revoke, revoked } = makeRevocation()
      yield* Effect.all([one.revoke(key, revoke), one.revoke(key, revoke)], { concurrency: 2 })
      assert.deepStrictEqual(revoked, ["1"])
      assert.isUndefined(yield* one.revoke(key, () => Effect.succeed("revoked")))
    })
  )
})
