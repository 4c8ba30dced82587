import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { AuthorizationRequired, OAuthError, StoreUnavailable, TokenCache } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenStore, FileTokenStore } from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { files, makeDirectory, recordLog, secretOf } from "./fileStores.ts"
import { leaseThrough, makeServer, recordEvents, requestOf, text } from "./fixtures.ts"

type Store = TokenStore["Service"]

const full = Effect.fail(new StoreUnavailable({ problem: "the disk is full" }))

/** A cache over a memory store that can be made to fail. */
const makeFailing = (failing: Partial<Store>) => {
  const state = { failing: false }
  const store = Layer.effect(
    TokenStore,
    Effect.map(TokenStore, (memory): Store => {
      const now = () => (state.failing ? { ...memory, ...failing } : memory)
      return {
        get: (...args) => Effect.suspend(() => now().get(...args)),
        set: (...args) => Effect.suspend(() => now().set(...args)),
        remove: (...args) => Effect.suspend(() => now().remove(...args)),
        list: Effect.suspend(() => now().list),
        checkWritable: Effect.suspend(() => now().checkWritable),
        lease: leaseThrough(memory, now)
      }
    })
  ).pipe(Layer.provide(MemoryTokenStore.layer))
  return { state, layer: Layer.provide(SingleFlightTokenCache.layer, store) }
}

const get = (...args: Parameters<typeof requestOf>) =>
  Effect.flatMap(TokenCache, (cache) => Effect.map(cache.get(requestOf(...args)), ({ token }) => text(token)))

describe("a refresh token", () => {
  for (const [how, checkWritable] of [
    ["says so", full],
    ["breaks", Effect.die("secret-in-a-defect")]
  ] as const)
    it.effect(`a refresh token is not used while the store cannot write the next one (it ${how})`, () => {
      const { layer, state } = makeFailing({ checkWritable, set: () => full })
      const { layer: recorded, tags } = recordEvents()
      return Effect.gen(function* () {
        const server = makeServer({ expiresIn: 100, refreshToken: true })
        yield* get(server)
        yield* TestClock.adjust("100 seconds")
        state.failing = true
        const error = yield* Effect.flip(get(server))
        assert.strictEqual(error.reason._tag, "StoreUnavailable")
        assert.isTrue(error.retryable)
        assert.notInclude(error.message, "secret")
        assert.strictEqual(server.count, 1)
        assert.include(tags(), "AcquisitionFailed")
        state.failing = false
        assert.strictEqual(yield* get(server), "2")
        assert.deepStrictEqual(server.previous, [undefined, "1"])
      }).pipe(Effect.provide(Layer.provideMerge(layer, recorded)))
    })

  it.effect("a refresh token that waits for the store does not keep a valid token from being served", () => {
    const { layer, state } = makeFailing({ checkWritable: full })
    const log = recordLog()
    return Effect.gen(function* () {
      const server = makeServer({ expiresIn: 100, refreshToken: true })
      yield* get(server)
      yield* TestClock.adjust("95 seconds")
      state.failing = true
      assert.strictEqual(yield* get(server), "1")
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(server.count, 1)
      assert.strictEqual(log.lines.length, 1)
      assert.include(log.lines[0], "could not be renewed")
      assert.include(log.lines[0], "the disk is full")
    }).pipe(Effect.provide([layer, log.layer]))
  })

  it.effect("the store is checked for a refresh token only, not for other acquisitions", () => {
    const { layer, state } = makeFailing({ checkWritable: full, set: () => full })
    return Effect.gen(function* () {
      state.failing = true
      const server = makeServer({ expiresIn: 100 })
      assert.strictEqual(yield* get(server), "1")
      yield* TestClock.adjust("100 seconds")
      assert.strictEqual(yield* get(server), "2")
    }).pipe(Effect.provide(layer))
  })

  it.effect("a refresh token is not used while the folder of the file store is missing", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const fs = yield* FileSystem.FileSystem
      const store = FileTokenStore.layer({ directory, encryptionKey: secretOf("one") })
      const cache = yield* Layer.build(Layer.provide(SingleFlightTokenCache.layer, store))
      yield* Effect.gen(function* () {
        const server = makeServer({ expiresIn: 100, refreshToken: true })
        yield* get(server)
        yield* TestClock.adjust("100 seconds")
        yield* fs.rename(directory, `${directory}-away`)
        assert.include((yield* Effect.flip(get(server))).message, directory)
        assert.strictEqual(server.count, 1)
        yield* fs.rename(`${directory}-away`, directory)
        assert.strictEqual(yield* get(server), "2")
      }).pipe(Effect.provide(cache))
    }).pipe(Effect.provide(files))
  )
})

describe("a grant that could not be read", () => {
  const loginNeeded = Effect.fail(
    new OAuthError({
      operation: "get an access token",
      serverName: "server",
      correlationId: "1",
      reason: new AuthorizationRequired({})
    })
  )

  it.effect("a grant that could not be read is a store error, not a demand for a login", () => {
    const unreadable = new StoreUnavailable({ problem: "it was encrypted with another key" })
    const { layer, state } = makeFailing({ get: () => Effect.fail(unreadable) })
    return Effect.gen(function* () {
      const login = { acquire: () => loginNeeded }
      assert.strictEqual((yield* Effect.flip(get(login))).reason._tag, "AuthorizationRequired")
      state.failing = true
      const error = yield* Effect.flip(get(login))
      assert.strictEqual(error.reason._tag, "StoreUnavailable")
      assert.include(error.message, "it was encrypted with another key")
    }).pipe(Effect.provide(layer))
  })
})
