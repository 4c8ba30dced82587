import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import {
  AuthorizationRequired,
  OAuthError,
  type StoreUnavailable,
  TokenCache,
  tokenKeyString
} from "@secure-mcp/oauth-core"
import {
  type NumberedToken,
  SingleFlightTokenCache,
  TokenStore,
  UnleasedTokenStore
} from "@secure-mcp/token-cache"
import { keptTokensContract, tokenStoreContract } from "@secure-mcp/token-cache/testing"
import { keyOf, makeServer, requestOf, text, tokenOf } from "./fixtures.ts"

type Unleased = UnleasedTokenStore["Service"]

/** A store as short as one can write it. */
const makeMapStore = (): Unleased => {
  const tokens = new Map<
    string,
    { key: Parameters<Unleased["get"]>[0]; entry: NumberedToken; endsAt: number }
  >()
  const living = Effect.map(Clock.currentTimeMillis, (now) => {
    for (const [id, { endsAt }] of tokens) if (endsAt <= now) tokens.delete(id)
    return tokens
  })
  return {
    get: (key) => Effect.map(living, () => tokens.get(tokenKeyString(key))?.entry),
    set: (key, entry, timeToLive) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        tokens.set(tokenKeyString(key), { key, entry, endsAt: now + Duration.toMillis(timeToLive) })
      }),
    remove: (key) => Effect.sync(() => void tokens.delete(tokenKeyString(key))),
    list: Effect.map(living, () =>
      Array.from(tokens.values(), ({ entry, key }) => ({ key, token: entry.token }))
    ),
    checkWritable: Effect.void
  }
}

const mapStore = Layer.sync(UnleasedTokenStore, makeMapStore)
const ofOne = Layer.provide(UnleasedTokenStore.forOneProcess, mapStore)
const ofSeveral = Layer.provide(UnleasedTokenStore.forSeveralProcesses, mapStore)

const ownKey = { ...keyOf("own"), personal: false }
const refreshable = tokenOf("a", { refreshToken: Redacted.make("r") })
const forever = Duration.infinity

describe("UnleasedTokenStore.forOneProcess", () => {
  for (const { effect, name } of tokenStoreContract) it.effect(name, () => Effect.provide(effect, ofOne))

  it.effect("a store without leases numbers its writes above those of an earlier process", () =>
    Effect.gen(function* () {
      const store = makeMapStore()
      const open = Effect.provide(
        TokenStore,
        Layer.provide(UnleasedTokenStore.forOneProcess, Layer.succeed(UnleasedTokenStore, store))
      )
      const first = yield* open
      yield* first.set(keyOf("a"), tokenOf("a"), forever)
      const last = yield* first.set(keyOf("a"), tokenOf("b"), forever)
      const second = yield* open
      const lease = yield* second.lease(keyOf("a"), Duration.minutes(1))
      assert.isAbove(lease!.revision, last)
      assert.strictEqual(text(lease!.found), "b")
    })
  )
})

describe("UnleasedTokenStore.forSeveralProcesses", () => {
  it.effect("a shared store without leases keeps the tokens that a client gets by itself", () =>
    Effect.gen(function* () {
      const store = yield* TokenStore
      yield* store.set(ownKey, tokenOf("a"), forever)
      const lease = yield* store.lease(ownKey, Duration.minutes(1))
      assert.isTrue(yield* lease!.set(tokenOf("b"), forever))
      assert.strictEqual(text(yield* store.get(ownKey)), "b")
      assert.strictEqual(text(yield* store.remove(ownKey)), "b")
    }).pipe(Effect.provide(ofSeveral))
  )

  it.effect(
    "a shared store without leases refuses what a person granted and every refresh token, with a way out",
    () =>
      Effect.gen(function* () {
        const store = yield* TokenStore
        const lease = yield* store.lease(ownKey, Duration.minutes(1))
        const refused: ReadonlyArray<Effect.Effect<unknown, StoreUnavailable>> = [
          store.get(keyOf("a")),
          store.set(keyOf("a"), tokenOf("a"), forever),
          store.remove(keyOf("a")),
          store.lease(keyOf("a"), Duration.minutes(1)),
          store.set(ownKey, refreshable, forever),
          lease!.set(refreshable, forever)
        ]
        for (const operation of refused) {
          const { problem } = yield* Effect.flip(operation)
          assert.include(problem, "this token store has no leases")
          assert.include(problem, "Use a store with leases")
          assert.include(problem, "UnleasedTokenStore.forOneProcess")
        }
      }).pipe(Effect.provide(ofSeveral))
  )

  it.effect("a shared store without leases is an error before a person is asked to log in", () =>
    Effect.gen(function* () {
      const cache = yield* TokenCache
      const server = makeServer()
      const reason = new AuthorizationRequired({})
      server.failure = new OAuthError({ operation: "o", serverName: "s", correlationId: "c", reason })
      const error = yield* Effect.flip(cache.get(requestOf(server)))
      assert.strictEqual(error.reason._tag, "StoreUnavailable")
      assert.include(error.message, "this token store has no leases")
    }).pipe(Effect.provide(Layer.provide(SingleFlightTokenCache.layer, ofSeveral)))
  )
})

describe("keptTokensContract", () => {
  it("the part of the contract without leases is contained in the whole contract", () => {
    const names = tokenStoreContract.map(({ name }) => name)
    assert.isAbove(keptTokensContract.length, 10)
    assert.isBelow(keptTokensContract.length, names.length)
    for (const { name } of keptTokensContract) assert.include(names, name)
  })
})
