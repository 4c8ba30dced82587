import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { StoreUnavailable, TokenCache, type TokenCacheEntry, type TokenKey } from "@secure-mcp/oauth-core"
import { PersonGrantTokenStore, SingleFlightTokenCache, TokenStore } from "@secure-mcp/token-cache"
import { tokenStoreContract, MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { layerStore } from "./fileStores.ts"
import { keyOf, makeServer, requestOf, text, tokenOf } from "./fixtures.ts"

const forever = Duration.infinity
const token = tokenOf("token", { refreshToken: Redacted.make("refresh") })

/** The key of a token that the client gets by itself. */
const own: TokenKey = { ...keyOf("own"), personal: false }

describe("PersonGrantTokenStore.layer", () => {
  for (const { effect, name } of tokenStoreContract)
    it.effect(name, () => Effect.provide(effect, PersonGrantTokenStore.layer(layerStore())))

  it.effect("a person's grant is stored in the durable store, and nothing else is stored", () =>
    Effect.gen(function* () {
      const { both, durable } = yield* stores
      yield* both.set(keyOf("personal"), token, forever)
      yield* both.set(own, token, forever)
      assert.deepStrictEqual(namesOf(yield* durable.list), ["personal"])
      assert.deepStrictEqual(namesOf(yield* both.list), ["personal"])
      assert.strictEqual((yield* both.get(own))._tag, "NotStorable")
    })
  )

  it.effect("all listed tokens can be removed, also those that an earlier version stored", () =>
    Effect.gen(function* () {
      const { both, durable } = yield* stores
      yield* durable.set(own, token, forever)
      const [entry] = yield* both.list
      assert.isDefined(entry)
      assert.strictEqual(text(yield* both.remove(entry.key)), "token")
      assert.deepStrictEqual(yield* durable.list, [])
    })
  )

  for (const refreshToken of [true, false])
    it.effect(
      `a token of the client ${refreshToken ? "with" : "without"} a refresh token is cached, renewed, removed and listed without the durable store`,
      () => {
        const used: Array<string> = []
        const layer = SingleFlightTokenCache.layer.pipe(
          Layer.provide(PersonGrantTokenStore.layer(dying(used)))
        )
        return Effect.gen(function* () {
          const cache = yield* TokenCache
          const server = makeServer({ expiresIn: 100, refreshToken })
          const get = (options = {}) =>
            Effect.map(
              cache.get(requestOf(server, { key: own, ...options })),
              (got) => `${text(got.token)} ${got.source}`
            )
          assert.strictEqual(yield* get(), "1 acquired")
          assert.strictEqual(yield* get(), "1 cache")
          yield* TestClock.adjust("95 seconds")
          assert.strictEqual(yield* get(), "1 cache")
          yield* TestClock.adjust("1 second")
          assert.strictEqual(yield* get(), "2 cache")
          assert.strictEqual(yield* get({ forceRefresh: true }), "3 acquired")
          assert.strictEqual(text(yield* cache.invalidate(own)), "3")
          assert.strictEqual(yield* get(), "4 acquired")
          assert.deepStrictEqual(used, [])
        }).pipe(Effect.provide(layer))
      }
    )

  it.effect("no grant can be stored during an outage of the durable store, which is an error", () =>
    Effect.gen(function* () {
      const gone = Effect.fail(new StoreUnavailable({ problem: "away" }))
      const away = {
        get: () => gone,
        set: () => gone,
        remove: () => gone,
        list: gone,
        checkWritable: gone,
        lease: () => gone
      }
      const store = yield* build(PersonGrantTokenStore.layer(Layer.succeed(TokenStore, away)))
      assert.strictEqual((yield* Effect.flip(store.checkWritable)).problem, "away")
      yield* Effect.flip(store.remove(keyOf("server")))
    })
  )
})

/** A store that dies when it is asked anything, and notes what. */
const dying = (used: Array<string>) => {
  const die = (operation: string) =>
    Effect.suspend(() => {
      used.push(operation)
      return Effect.die(new Error(`${operation} of a store that is not to be asked`))
    })
  return Layer.succeed(TokenStore, {
    get: () => die("get"),
    set: () => die("set"),
    remove: () => die("remove"),
    list: die("list"),
    checkWritable: die("checkWritable"),
    lease: () => die("lease")
  })
}

const build = <E>(layer: Layer.Layer<TokenStore, E>) =>
  Effect.flatMap(Layer.build(layer), (context) => Effect.provide(TokenStore, context))

/** A store and the durable one behind it. */
const stores = Effect.gen(function* () {
  const durable = yield* build(MemoryTokenStore.layer)
  const both = yield* build(PersonGrantTokenStore.layer(Layer.succeed(TokenStore, durable)))
  return { both, durable }
})

const namesOf = (entries: ReadonlyArray<TokenCacheEntry>) =>
  entries.map(({ key }) => key.serverName).toSorted()
