import { assert, describe, it } from "@effect/vitest"
import {
  type ClientRegistration,
  ConnectionFailed,
  type GrantedClient,
  RegisteredClients,
  StoreUnavailable,
  TokenCache
} from "@secure-mcp/oauth-core"
import {
  isRegisteredClientKey,
  SingleFlightTokenCache,
  StoredRegisteredClients,
  TokenStore
} from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { files, makeDirectory, openStore } from "./fileStores.ts"

const issuer = "https://as.example.com"
const registration: ClientRegistration = { issuer, fingerprint: "a".repeat(64) }

/** Registers `client-1`, `client-2`, … */
const makeServer = (fields: Partial<GrantedClient> = {}) => {
  let count = 0
  return {
    registered: () => count,
    register: Effect.sync((): GrantedClient => {
      count += 1
      return { issuer, clientId: `client-${count}`, tokenEndpointAuthMethod: "none", ...fields }
    })
  }
}

/** The registered clients of one process. */
const processOn = (store: TokenStore["Service"]) =>
  Effect.map(
    Layer.build(Layer.provide(StoredRegisteredClients.layer, Layer.succeed(TokenStore, store))),
    Context.get(RegisteredClients)
  )

const memoryStore = Effect.map(Layer.build(MemoryTokenStore.layer), Context.get(TokenStore))

const idOf = Effect.map(({ clientId }: GrantedClient) => clientId)

describe("StoredRegisteredClients.layer", () => {
  it.effect("a client is registered once for all processes that share the store, and after a restart", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const server = makeServer({
        clientSecret: Redacted.make("the-secret"),
        tokenEndpointAuthMethod: "client_secret_post"
      })
      const first = yield* processOn(yield* openStore({ directory }))
      const second = yield* processOn(yield* openStore({ directory }))
      const [one, ...others] = yield* Effect.all(
        [first, second, first, second].map(({ obtain }) => obtain(registration, server.register)),
        { concurrency: "unbounded" }
      )
      for (const other of others) assert.deepStrictEqual(other, one)
      const restarted = yield* processOn(yield* openStore({ directory }))
      const client = yield* restarted.obtain(registration, server.register)
      assert.strictEqual(client.clientSecret && Redacted.value(client.clientSecret), "the-secret")
      assert.strictEqual(client.tokenEndpointAuthMethod, "client_secret_post")
      assert.strictEqual(server.registered(), 1)
    }).pipe(Effect.provide(files), TestClock.withLive)
  )

  it.effect("a process that registers keeps the others waiting", () =>
    Effect.gen(function* () {
      const store = yield* memoryStore
      const server = makeServer()
      const answer = yield* Deferred.make<void>()
      const [first, second] = [yield* processOn(store), yield* processOn(store)]
      const slow = Effect.andThen(Deferred.await(answer), server.register)
      const one = yield* Effect.forkChild(first.obtain(registration, slow), { startImmediately: true })
      const other = yield* Effect.forkChild(second.obtain(registration, server.register), {
        startImmediately: true
      })
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(server.registered(), 0)
      yield* Deferred.succeed(answer, undefined)
      assert.strictEqual((yield* Fiber.join(one)).clientId, "client-1")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(other)).clientId, "client-1")
    })
  )

  it.effect("another issuer or another registration is another client", () =>
    Effect.gen(function* () {
      const clients = yield* Effect.flatMap(memoryStore, processOn)
      const { register } = makeServer()
      const wanted = [
        registration,
        { ...registration, issuer: "https://other.example.com" },
        { ...registration, fingerprint: "b".repeat(64) },
        registration
      ]
      const ids = yield* Effect.forEach(wanted, (each) => idOf(clients.obtain(each, register)))
      assert.deepStrictEqual(ids, ["client-1", "client-2", "client-3", "client-1"])
    })
  )

  it.effect(
    "a forgotten client is forgotten in the store and in every process, and its successor stays",
    () =>
      Effect.gen(function* () {
        const store = yield* memoryStore
        const [first, second] = [yield* processOn(store), yield* processOn(store)]
        const { register } = makeServer()
        yield* first.obtain(registration, register)
        yield* second.obtain(registration, register)
        yield* first.forget(issuer, "client-1")
        assert.strictEqual(yield* idOf(second.obtain(registration, register)), "client-2")
        yield* second.forget(issuer, "client-1")
        yield* second.forget("https://other.example.com", "client-2")
        assert.strictEqual(yield* idOf(first.obtain(registration, register)), "client-2")
      })
  )

  it.effect("a client whose secret has expired is registered again", () =>
    Effect.gen(function* () {
      const clients = yield* Effect.flatMap(memoryStore, processOn)
      const { register } = makeServer({ clientSecretExpiresAt: 60_000 })
      assert.strictEqual(yield* idOf(clients.obtain(registration, register)), "client-1")
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* idOf(clients.obtain(registration, register)), "client-1")
      yield* TestClock.adjust("1 second")
      const { register: later } = makeServer({ clientId: "later" })
      assert.strictEqual(yield* idOf(clients.obtain(registration, later)), "later")
    })
  )

  it.effect("a registration that fails is tried again by the next login", () =>
    Effect.gen(function* () {
      const clients = yield* Effect.flatMap(memoryStore, processOn)
      const down = new ConnectionFailed({ endpoint: "the registration endpoint", problem: "refused" })
      assert.strictEqual(yield* Effect.flip(clients.obtain(registration, Effect.fail(down))), down)
      assert.strictEqual(yield* idOf(clients.obtain(registration, makeServer().register)), "client-1")
    })
  )

  it.effect("a store that is down does not keep anybody from a login, and gets the client later", () =>
    Effect.gen(function* () {
      const store = yield* memoryStore
      let down = true
      const whenUp = <A>(effect: Effect.Effect<A, StoreUnavailable>) =>
        Effect.suspend(() => (down ? Effect.fail(new StoreUnavailable({ problem: "down" })) : effect))
      const clients = yield* processOn({
        ...store,
        get: (key) => whenUp(store.get(key)),
        lease: (key, timeToLive) => whenUp(store.lease(key, timeToLive))
      })
      const { register } = makeServer()
      assert.strictEqual(yield* idOf(clients.obtain(registration, register)), "client-1")
      assert.strictEqual(yield* idOf(clients.obtain(registration, register)), "client-1")
      down = false
      yield* clients.obtain(registration, register)
      const other = yield* processOn(store)
      assert.strictEqual(yield* idOf(other.obtain(registration, register)), "client-1")
    })
  )

  it.effect("without a store a process has its clients in memory", () =>
    Effect.gen(function* () {
      const store = yield* Effect.provide(TokenStore, TokenStore.none)
      const clients = yield* processOn(store)
      const { register } = makeServer()
      yield* clients.obtain(registration, register)
      assert.strictEqual(yield* idOf(clients.obtain(registration, register)), "client-1")
      yield* clients.forget(issuer, "client-1")
      assert.strictEqual(yield* idOf(clients.obtain(registration, register)), "client-2")
    })
  )

  it.effect("a registered client is no token: the cache does not list it", () =>
    Effect.gen(function* () {
      const store = yield* memoryStore
      const clients = yield* processOn(store)
      yield* clients.obtain(registration, makeServer().register)
      assert.deepStrictEqual(
        (yield* store.list).map(({ key }) => isRegisteredClientKey(key)),
        [true]
      )
      const cache = yield* Effect.map(
        Layer.build(Layer.provide(SingleFlightTokenCache.layer, Layer.succeed(TokenStore, store))),
        Context.get(TokenCache)
      )
      assert.deepStrictEqual(yield* cache.list, [])
    })
  )
})
