import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import type { StoreUnavailable } from "@secure-mcp/oauth-core"
import { changeGroup, type TokenStore } from "@secure-mcp/token-cache"
import { assertNoCanary, canary } from "@secure-mcp/testing"
import { ContractTime, tokenStoreContract } from "@secure-mcp/token-cache/testing"
import * as Redacted from "effect/Redacted"
import { randomUUID } from "node:crypto"
import { keyOf, layerStore, openStore, recordLog, text, tokenOf, useRedis } from "./redis.ts"

const redis = useRedis()
const forever = Duration.infinity

/** Keys that no other test has. */
const ownPrefix = () => `test-${randomUUID()}`

// Time passes in Redis, so the points wait for it together.
describe.concurrent("RedisTokenStore as a TokenStore", () => {
  for (const { effect, name } of tokenStoreContract)
    it.live(name, (context) =>
      effect.pipe(
        Effect.provide(layerStore({ url: redis.urlOr(context), keyPrefix: ownPrefix() })),
        Effect.provideService(ContractTime, { pass: Effect.sleep })
      )
    )
})

describe("RedisTokenStore", () => {
  it.live("RedisTokenStore shares tokens with other processes, for as long as they live", (context) =>
    Effect.gen(function* () {
      const [url, keyPrefix] = [redis.urlOr(context), ownPrefix()]
      const one = yield* openStore({ url, keyPrefix })
      yield* one.store.set(keyOf("mortal"), tokenOf("mortal"), Duration.minutes(5))
      yield* one.store.set(keyOf("immortal"), tokenOf("immortal"), forever)
      const other = yield* openStore({ url, keyPrefix })
      assert.strictEqual(text(yield* other.store.get(keyOf("mortal"))), "mortal")
      const lives = yield* Effect.forEach(yield* keysIn(other.redis, `{${keyPrefix}}:token:*`), (key) =>
        other.redis.send<number>("PTTL", key)
      )
      const [ever, limited] = lives.toSorted((a, b) => a - b)
      assert.strictEqual(ever, -1)
      assert.approximately(limited ?? 0, 300_000, 20_000)
    })
  )

  it.live("RedisTokenStore reveals nothing by its keys, and encrypts every value", (context) =>
    Effect.gen(function* () {
      const [url, keyPrefix] = [redis.urlOr(context), ownPrefix()]
      const { redis: client, store } = yield* openStore({ url, keyPrefix })
      const secrets = [canary("access-token"), canary("refresh-token"), canary("server"), canary("subject")]
      const [access = "", refresh = "", server = "", subject = ""] = secrets
      const token = tokenOf(access, { refreshToken: Redacted.make(refresh) })
      yield* store.set(keyOf(server, subject), token, forever)
      yield* store.lease(keyOf(server, subject), Duration.minutes(1))
      const keys = yield* keysIn(client, `*${keyPrefix}*`)
      assert.strictEqual(keys.length, 4)
      for (const key of keys) assert.include(key, `{${keyPrefix}}:`)
      const contents = yield* Effect.forEach(keys, (key) => client.send<string>("DUMP", key))
      assertNoCanary([keys, contents], secrets)
    })
  )

  it.live("RedisTokenStore does not list expired tokens, and deletes them", (context) =>
    Effect.gen(function* () {
      const [url, keyPrefix] = [redis.urlOr(context), ownPrefix()]
      const { redis: client, store } = yield* openStore({ url, keyPrefix })
      yield* store.set(keyOf("short"), tokenOf("short"), Duration.millis(50))
      yield* Effect.sleep("100 millis")
      assert.deepStrictEqual(yield* store.list, [])
      yield* store.set(keyOf("long"), tokenOf("long"), forever)
      assert.strictEqual(yield* client.send<number>("ZCARD", `{${keyPrefix}}:tokens`), 1)
    })
  )

  it.live("lease numbers increase even after the last one has expired", (context) =>
    Effect.gen(function* () {
      const [url, keyPrefix] = [redis.urlOr(context), ownPrefix()]
      const { redis: client, store } = yield* openStore({ url, keyPrefix })
      const early = yield* store.lease(keyOf("a"), Duration.minutes(1))
      for (const key of yield* keysIn(client, `{${keyPrefix}}:*`)) yield* client.send("DEL", key)
      yield* store.set(keyOf("a"), tokenOf("later"), forever)
      assert.isFalse(yield* early!.set(tokenOf("early"), forever))
      assert.strictEqual(text(yield* store.get(keyOf("a"))), "later")
    })
  )
})

describe("the changes of RedisTokenStore", () => {
  it.live("the changes tell what another process wrote", (context) =>
    Effect.gen(function* () {
      const options = { url: redis.urlOr(context), keyPrefix: ownPrefix() }
      const [{ store: ours }, { store: theirs }] = [yield* openStore(options), yield* openStore(options)]
      const { cursor } = yield* changesOf(ours, undefined)
      yield* theirs.set(keyOf("a"), tokenOf("1"), forever)
      const told = yield* changesOf(ours, cursor)
      assert.deepStrictEqual(told.groups, new Set([changeGroup(keyOf("a"))]))
      assert.deepStrictEqual((yield* changesOf(ours, told.cursor)).groups, new Set())
    })
  )

  it.live("the changes say so if some may be missing: Redis was emptied, or is an older copy", (context) =>
    Effect.gen(function* () {
      const keyPrefix = ownPrefix()
      const { redis: client, store } = yield* openStore({ url: redis.urlOr(context), keyPrefix })
      const { cursor } = yield* changesOf(store, undefined)
      yield* client.send("DEL", `{${keyPrefix}}:changes`)
      yield* store.set(keyOf("a"), tokenOf("1"), forever)
      assert.isUndefined((yield* changesOf(store, cursor)).groups)
      const future = String(Number(cursor) + 1e12)
      assert.isUndefined((yield* changesOf(store, future)).groups)
    })
  )
})

const changesOf = (store: TokenStore["Service"], cursor: string | undefined) =>
  store.changes?.(cursor) ?? Effect.die("the store tells no changes")

describe("a token that cannot be read", () => {
  it.live(
    "a token sealed with a missing key is a clear error for every operation, and nothing changes",
    (context) =>
      Effect.gen(function* () {
        const [url, keyPrefix] = [redis.urlOr(context), ownPrefix()]
        const right = yield* openStore({ url, keyPrefix, secret: "one" })
        yield* right.store.set(keyOf("a"), tokenOf("a"), forever)
        const { store } = yield* openStore({ url, keyPrefix, secret: "other" })
        const refusals = yield* Effect.forEach(
          [
            store.get(keyOf("a")),
            store.set(keyOf("a"), tokenOf("b"), forever),
            store.remove(keyOf("a")),
            store.list,
            store.lease(keyOf("a"), Duration.minutes(1))
          ],
          (operation: Effect.Effect<unknown, StoreUnavailable>) => Effect.flip(operation)
        )
        for (const { problem } of refusals) {
          assert.match(
            problem,
            /^\{test-.*\}:token:[0-9a-f]{64} in Redis at 127\.0\.0\.1:\d+: it was encrypted with another key/
          )
          assert.include(problem, "list it among the previous keys")
        }
        assert.strictEqual(text(yield* right.store.get(keyOf("a"))), "a")
        assert.isDefined(yield* right.store.lease(keyOf("a"), Duration.minutes(1)))
      })
  )

  it.live("a token sealed with an earlier key is read, and the next write uses the new key", (context) =>
    Effect.gen(function* () {
      const [url, keyPrefix] = [redis.urlOr(context), ownPrefix()]
      yield* (yield* openStore({ url, keyPrefix, secret: "one" })).store.set(
        keyOf("a"),
        tokenOf("a"),
        forever
      )
      const rotated = yield* openStore({ url, keyPrefix, secret: "two", previous: ["one"] })
      assert.strictEqual(text(yield* rotated.store.get(keyOf("a"))), "a")
      yield* rotated.store.set(keyOf("a"), tokenOf("b"), forever)
      const later = yield* openStore({ url, keyPrefix, secret: "two" })
      assert.strictEqual(text(yield* later.store.get(keyOf("a"))), "b")
    })
  )

  for (const [how, damage] of [
    ["was torn", (sealed: string) => sealed.slice(0, sealed.length / 2)],
    ["is foreign", () => "what is this?"],
    ["was changed", (sealed: string) => `${sealed.slice(0, -8)}AAAAAAA=`]
  ] as const)
    it.live(`a token that ${how} is set aside, with a warning`, (context) => {
      const log = recordLog()
      return Effect.gen(function* () {
        const [url, keyPrefix] = [redis.urlOr(context), ownPrefix()]
        const { redis: client, store } = yield* openStore({ url, keyPrefix })
        yield* store.set(keyOf("a"), tokenOf("a"), forever)
        const [key = ""] = yield* keysIn(client, `{${keyPrefix}}:token:*`)
        const damaged = damage(yield* client.send<string>("HGET", key, "record"))
        yield* client.send("HSET", key, "record", damaged)
        assert.isUndefined(text(yield* store.get(keyOf("a"))))
        assert.deepStrictEqual(yield* store.list, [])
        const [aside = ""] = yield* keysIn(client, `{${keyPrefix}}:damaged:*`)
        assert.strictEqual(yield* client.send("GET", aside), damaged)
        assert.strictEqual(log.lines.length, 1)
        assert.include(log.lines[0], `It was set aside as ${aside}`)
        yield* store.set(keyOf("a"), tokenOf("b"), forever)
        assert.strictEqual(text(yield* store.get(keyOf("a"))), "b")
      }).pipe(Effect.provide(log.layer))
    })

  it.live("a token moved from another key is not returned for this one", (context) =>
    Effect.gen(function* () {
      const [url, keyPrefix] = [redis.urlOr(context), ownPrefix()]
      const { redis: client, store } = yield* openStore({ url, keyPrefix })
      yield* store.set(keyOf("mallory"), tokenOf("mallory"), forever)
      const [mine = ""] = yield* keysIn(client, `{${keyPrefix}}:token:*`)
      yield* store.set(keyOf("alice"), tokenOf("alice"), forever)
      const hers = (yield* keysIn(client, `{${keyPrefix}}:token:*`)).find((key) => key !== mine) ?? ""
      yield* client.send("HSET", mine, "record", yield* client.send<string>("HGET", hers, "record"))
      assert.isUndefined(text(yield* store.get(keyOf("mallory"))))
      assert.strictEqual(text(yield* store.get(keyOf("alice"))), "alice")
    })
  )

  it("an empty encryption key is an error", async () => {
    const layer = layerStore({ url: "redis://127.0.0.1:1", secret: "" })
    const weak = Layer.build(layer).pipe(Effect.scoped, Effect.flip)
    assert.include(["Misconfigured", "StoreUnavailable"], (await Effect.runPromise(weak))._tag)
  })
})

const keysIn = (redis: Redis.Redis["Service"], pattern: string) =>
  redis.send<ReadonlyArray<string>>("KEYS", pattern)
