import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { TokenCapacity, TokenStore } from "@secure-mcp/token-cache"
import { tokenStoreContract, MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { keyOf, tokenOf } from "./fixtures.ts"

describe("MemoryTokenStore.layer", () => {
  for (const { effect, name } of tokenStoreContract)
    it.effect(name, () => Effect.provide(effect, MemoryTokenStore.layer))

  it.effect("MemoryTokenStore has at most its capacity of tokens, the most recently used ones", () =>
    Effect.gen(function* () {
      const store = yield* TokenStore
      yield* store.set(keyOf("a"), tokenOf("a"), Duration.infinity)
      yield* store.set(keyOf("b"), tokenOf("b"), Duration.infinity)
      yield* store.get(keyOf("a"))
      yield* store.set(keyOf("c"), tokenOf("c"), Duration.infinity)
      const names = (yield* store.list).map(({ key }) => key.serverName)
      assert.deepStrictEqual(names, ["a", "c"])
    }).pipe(Effect.provide(capacityOf(2)))
  )

  it.effect("MemoryTokenStore evicts an expired token before a valid one", () =>
    Effect.gen(function* () {
      const store = yield* TokenStore
      yield* store.set(keyOf("old"), tokenOf("old"), Duration.infinity)
      yield* store.set(keyOf("ended"), tokenOf("ended"), Duration.seconds(1))
      yield* TestClock.adjust("1 second")
      yield* store.set(keyOf("new"), tokenOf("new"), Duration.infinity)
      const names = (yield* store.list).map(({ key }) => key.serverName)
      assert.deepStrictEqual(names, ["old", "new"])
    }).pipe(Effect.provide(capacityOf(2)))
  )
})

const capacityOf = (capacity: number) =>
  Layer.provide(MemoryTokenStore.layer, Layer.succeed(TokenCapacity, capacity))
