import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { redisProgram, RedisNodes, requireProgram } from "@secure-mcp/testing"
import { TokenStore } from "@secure-mcp/token-cache"
import { ContractTime, renewThroughOutage, tokenStoreContract } from "@secure-mcp/token-cache/testing"
import { RedisClusterConnection, RedisTokenStore } from "@secure-mcp/token-cache-redis"
import { beforeAll } from "vitest"
import { openInstances } from "./instances.ts"
import { keyOf, secretOf, text, tokenOf } from "./redis.ts"

const urlOf = (ports: ReadonlyArray<number>) =>
  Redacted.make(`redis://${ports.map((port) => `127.0.0.1:${port}`).join(",")}`)

describe("Redis Cluster", () => {
  let program: string | undefined
  beforeAll(() => {
    program = requireProgram(redisProgram)
  })

  it.live(
    "a store on a cluster of three nodes without replicas fulfils the contract of a store",
    ({ skip }) =>
      Effect.gen(function* () {
        const { nodes } = yield* RedisNodes.makeCluster(program ?? skip("no redis-server"), { replicas: 0 })
        const services = yield* RedisTokenStore.layer({ encryptionKey: secretOf("one") }).pipe(
          Layer.provide(
            RedisClusterConnection.layer({ url: urlOf(nodes.map(({ port }) => port).slice(0, 2)) })
          ),
          Layer.build
        )
        // The points wait for time to pass, so they wait together.
        yield* Effect.forEach(tokenStoreContract, ({ effect }) => effect, {
          concurrency: "unbounded",
          discard: true
        }).pipe(Effect.provide(services), Effect.provideService(ContractTime, { pass: Effect.sleep }))
        const store = Context.get(services, TokenStore)
        yield* store.set(keyOf("a"), tokenOf("a"), Duration.infinity)
        assert.strictEqual(text(yield* store.get(keyOf("a"))), "a")
      })
  )

  it.live(
    "no refresh token is sent twice when another node of a cluster takes over, and renewals go on",
    ({ skip }) =>
      Effect.gen(function* () {
        const { nodes, serversOf } = yield* RedisNodes.makeCluster(program ?? skip("no redis-server"), {
          replicas: 1
        })
        const connection = RedisClusterConnection.layer({ url: urlOf(nodes.map(({ port }) => port)) })
        // The replica falls behind first, so that a failover undoes what the primary has acknowledged by itself.
        const failover = Effect.gen(function* () {
          const { primary, replica } = yield* serversOf("{mcp-oauth}:tokens")
          yield* replica?.pause ?? Effect.void
          yield* Effect.sleep("700 millis")
          yield* primary.kill
          yield* replica?.resume ?? Effect.void
        })
        assert.isUndefined(yield* renewThroughOutage(yield* openInstances(connection), failover))
      })
  )
})
