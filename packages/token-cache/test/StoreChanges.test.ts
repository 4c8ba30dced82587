import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { StoreUnavailable, TokenCache } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenStore } from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { keyOf, makeServer, requestOf, text, tokenOf } from "./fixtures.ts"

const names = Array.from({ length: 50 }, (_, number) => `server${number}`)
const first = keyOf("server0")

/** A cache whose store has a token for each name, and counts what it is asked. */
const over = (change: (store: TokenStore["Service"]) => Partial<TokenStore["Service"]> = () => ({})) => {
  const calls = { get: 0, changes: 0 }
  const counting = Layer.effect(
    TokenStore,
    Effect.gen(function* () {
      const memory = yield* TokenStore
      for (const name of names) yield* memory.set(keyOf(name), tokenOf(name), Duration.infinity)
      const store = { ...memory, ...change(memory) }
      return TokenStore.of({
        ...store,
        get: (key) => Effect.suspend(() => ((calls.get += 1), store.get(key))),
        changes:
          store.changes &&
          ((cursor) =>
            Effect.suspend(() => ((calls.changes += 1), store.changes?.(cursor) ?? Effect.die("none"))))
      })
    })
  ).pipe(Layer.provide(MemoryTokenStore.layer))
  return { calls, layer: SingleFlightTokenCache.layer.pipe(Layer.provideMerge(counting)) }
}

const get = Effect.fnUntraced(function* (key = first) {
  return text((yield* (yield* TokenCache).get(requestOf(makeServer(), { key }))).token)
})

/** Each person makes a request, and the looks into the store that follow have ended. */
const getAll = Effect.andThen(
  Effect.forEach(names, (name) => Effect.andThen(get(keyOf(name)), TestClock.adjust(1)), { discard: true }),
  TestClock.adjust(1)
)

/** Two rounds: what was asked before the first reading of the changes was answered is asked about once more. */
const settle = Effect.andThen(Effect.andThen(getAll, TestClock.adjust("5 seconds")), getAll)

describe("a store that tells its changes", () => {
  it.effect("the store is asked once for all tokens in use, and not about each", () => {
    const { calls, layer } = over()
    return Effect.gen(function* () {
      yield* settle
      Object.assign(calls, { get: 0, changes: 0 })
      for (let round = 0; round < 10; round++) {
        yield* TestClock.adjust("5 seconds")
        yield* getAll
      }
      assert.deepStrictEqual(calls, { get: 0, changes: 10 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("a token that another process removed or replaced is not served longer than the interval", () => {
    const { calls, layer } = over()
    return Effect.gen(function* () {
      yield* settle
      const store = yield* TokenStore
      yield* store.set(first, tokenOf("theirs"), Duration.infinity)
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* get(), "theirs")
      yield* getAll
      yield* store.remove(first)
      yield* TestClock.adjust("4 seconds")
      Object.assign(calls, { get: 0, changes: 0 })
      assert.strictEqual(yield* get(), "1", "the server was asked for a new one")
      assert.strictEqual(yield* get(keyOf("server1")), "server1")
      assert.deepInclude(calls, { changes: 1 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("the store is asked about each token if its changes cannot be read", () => {
    const { calls, layer } = over(() => ({
      changes: () => Effect.fail(new StoreUnavailable({ problem: "no permission" }))
    }))
    return Effect.gen(function* () {
      yield* settle
      yield* (yield* TokenStore).remove(first)
      yield* TestClock.adjust("4 seconds")
      Object.assign(calls, { get: 0, changes: 0 })
      assert.strictEqual(yield* get(), "1")
      yield* get(keyOf("server1"))
      assert.strictEqual(calls.changes, 1, "once for all")
      assert.isAbove(calls.get, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("the store is asked about each token after it has lost what it knew of changes", () => {
    const { calls, layer } = over((memory) => ({
      changes: (cursor) =>
        Effect.map(memory.changes?.(cursor) ?? Effect.die("none"), (told) => ({ ...told, groups: undefined }))
    }))
    return Effect.gen(function* () {
      yield* settle
      Object.assign(calls, { get: 0, changes: 0 })
      yield* TestClock.adjust("5 seconds")
      yield* getAll
      assert.strictEqual(calls.get, names.length)
    }).pipe(Effect.provide(layer))
  })
})
