import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Redis from "effect/persistence/Redis"
import { startScript } from "@secure-mcp/testing"
import { TokenStore } from "@secure-mcp/token-cache"
import {
  crashContract,
  EncryptedStore,
  encryptionContract,
  StoreProcesses
} from "@secure-mcp/token-cache/testing"
import { RedisConnection, RedisTokenStore } from "@secure-mcp/token-cache-redis"
import { randomUUID } from "node:crypto"
import { encryptionKey } from "./crashKey.ts"
import { useRedis } from "./redis.ts"

const redis = useRedis()

/** Keys that no other test has. */
const ownPrefix = () => `test-${randomUUID()}`

describe.concurrent("RedisTokenStore when its process is killed", () => {
  for (const { effect, name } of crashContract)
    it.live(`the Redis store ${name}`, (context) => {
      const [url, keyPrefix] = [redis.urlOr(context), ownPrefix()]
      return Effect.provideService(effect, StoreProcesses, {
        start: (task) => startScript(new URL("redisCrash.ts", import.meta.url), url, keyPrefix, task),
        reopen: open(url, { encryptionKey, keyPrefix })
      })
    })
})

describe("the encryption of RedisTokenStore", () => {
  for (const { effect, name } of encryptionContract)
    it.live(`the Redis store ${name}`, (context) => {
      const [url, keyPrefix] = [redis.urlOr(context), ownPrefix()]
      return Effect.provideService(effect, EncryptedStore, {
        open: (keys) => open(url, { ...keys, keyPrefix }),
        bytes: Effect.scoped(contentOf(url, keyPrefix))
      })
    })
})

const open = (url: string, options: Parameters<typeof RedisTokenStore.layer>[0]) =>
  RedisTokenStore.layer(options).pipe(
    Layer.provide(RedisConnection.layer({ url: Redacted.make(url) })),
    Layer.build,
    Effect.map(Context.get(TokenStore))
  )

/** All keys of a prefix, and what is under each. */
const contentOf = Effect.fnUntraced(function* (url: string, keyPrefix: string) {
  const services = yield* Layer.build(RedisConnection.layer({ url: Redacted.make(url) }))
  const client = Context.get(services, Redis.Redis)
  const keys = yield* client.send<ReadonlyArray<string>>("KEYS", `{${keyPrefix}}:*`)
  const values = yield* Effect.forEach(keys, (key) => client.send<string>("DUMP", key))
  return [...keys, ...values].map((text) => new TextEncoder().encode(text))
})
