import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { StoreUnavailable, type OAuthToken } from "@secure-mcp/oauth-core"
import { TokenStore } from "@secure-mcp/token-cache"
import { tokenStoreContract } from "@secure-mcp/token-cache/testing"
import { layerStore } from "./fileStores.ts"
import { keyOf, text, tokenOf } from "./fixtures.ts"

const forever = Duration.infinity
const refreshable = tokenOf("refreshable", { refreshToken: Redacted.make("refresh") })
const granted = tokenOf("granted", { grantedTo: { clientId: "client" } })
const own = tokenOf("own")

describe("TokenStore.layerPersonGrants", () => {
  for (const { effect, name } of tokenStoreContract)
    it.effect(name, () => Effect.provide(effect, TokenStore.layerPersonGrants(layerStore())))

  it.effect("keeps in the durable store what a person granted, and nothing else", () =>
    Effect.gen(function* () {
      const { both, durable } = yield* stores
      for (const token of [refreshable, granted, own])
        yield* both.set(keyOf(text(token) ?? ""), token, forever)
      assert.deepStrictEqual(namesOf(yield* durable.list), ["granted", "refreshable"])
      assert.deepStrictEqual(namesOf(yield* both.list), ["granted", "own", "refreshable"])
    })
  )

  it.effect("forgets in one place what it keeps in the other", () =>
    Effect.gen(function* () {
      const { both, durable } = yield* stores
      const key = keyOf("server")
      const expectAll = (token: OAuthToken) =>
        Effect.gen(function* () {
          assert.strictEqual(text(yield* both.get(key)), text(token))
          assert.deepStrictEqual(
            (yield* both.list).map((entry) => text(entry.token)),
            [text(token)]
          )
        })
      for (const token of [own, refreshable, own]) {
        yield* both.set(key, token, forever)
        yield* expectAll(token)
      }
      assert.deepStrictEqual(yield* durable.list, [])
      yield* both.set(key, refreshable, forever)
      assert.strictEqual(text(yield* both.remove(key)), "refreshable")
      assert.isUndefined(yield* both.get(key))
    })
  )

  it.effect("serves its own tokens while the durable store is away, and says that no grant can be kept", () =>
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
      const store = yield* build(TokenStore.layerPersonGrants(Layer.succeed(TokenStore, away)))
      yield* Effect.ignore(store.set(keyOf("server"), own, forever))
      assert.strictEqual(text(yield* store.get(keyOf("server"))), "own")
      assert.strictEqual((yield* Effect.flip(store.checkWritable)).problem, "away")
      yield* Effect.flip(store.remove(keyOf("server")))
      assert.strictEqual(text(yield* store.get(keyOf("server"))), "own")
    })
  )
})

const build = <E>(layer: Layer.Layer<TokenStore, E>) =>
  Effect.flatMap(Layer.build(layer), (context) => Effect.provide(TokenStore, context))

/** A store and the durable one behind it. */
const stores = Effect.gen(function* () {
  const durable = yield* build(TokenStore.layerMemory)
  const both = yield* build(TokenStore.layerPersonGrants(Layer.succeed(TokenStore, durable)))
  return { both, durable }
})

const namesOf = (entries: ReadonlyArray<{ readonly token: OAuthToken }>) =>
  entries.map(({ token }) => text(token)).toSorted()
