import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { assertNoCanary, canary, refusedPort } from "@secure-mcp/testing"
import {
  RedisClusterConnection,
  RedisSentinelConnection,
  redisUrlProblem
} from "@secure-mcp/token-cache-redis"
import { useRedisProgram } from "./redis.ts"

const redis = useRedisProgram()

const connections = [
  {
    name: "Sentinel",
    place: (port: number) => `Redis (mymaster, by the sentinel at 127.0.0.1:${port})`,
    open: (url: string, timeout?: Duration.Input) =>
      Layer.build(RedisSentinelConnection.layer({ url: Redacted.make(url), name: "mymaster", timeout })),
    unknown: "has no sentinel that can be reached and knows it"
  },
  {
    name: "Cluster",
    place: (port: number) => `Redis Cluster at 127.0.0.1:${port}`,
    open: (url: string, timeout?: Duration.Input) =>
      Layer.build(RedisClusterConnection.layer({ url: Redacted.make(url), timeout })),
    unknown: "has no node that can be reached. Check the addresses, and that it is a cluster that runs"
  }
]

for (const { name, open, place, unknown } of connections)
  describe(`a connection to Redis ${name}`, () => {
    it.live(`nodes of Redis ${name} that cannot be reached are an error that says so`, () =>
      Effect.gen(function* () {
        const port = yield* refusedPort
        const error = yield* Effect.flip(open(`redis://127.0.0.1:${port}`, "20 seconds"))
        assert.strictEqual(error._tag, "StoreUnavailable")
        assert.include(error.message, `${place(port)} cannot be reached: connection refused`)
      })
    )

    it.live(`a Redis that is no node of Redis ${name} is an error that says so`, (context) =>
      Effect.gen(function* () {
        const { port } = yield* redis.start(context)
        const error = yield* Effect.flip(open(`redis://127.0.0.1:${port}`))
        assert.include(error.message, unknown)
      })
    )

    it.live(`a Redis that is silent is an error in time for Redis ${name}`, (context) =>
      Effect.gen(function* () {
        const server = yield* redis.start(context)
        yield* server.pause
        const [took, error] = yield* Effect.timed(
          Effect.flip(open(`redis://127.0.0.1:${server.port}`, "500 millis"))
        )
        assert.strictEqual(error._tag, "StoreUnavailable")
        assert.include(error.message, place(server.port))
        assert.isBelow(Duration.toSeconds(took), 15)
        yield* server.resume
      })
    )
  })

describe("the user of a Redis Cluster", () => {
  it.live("a refused login at a Redis Cluster is an error that does not show the password", (context) =>
    Effect.gen(function* () {
      const [right, wrong] = [canary("right-password"), canary("wrong-password")]
      const { port } = yield* redis.start(context, {
        configuration: ["cluster-enabled yes", `requirepass ${right}`]
      })
      const url = Redacted.make(`redis://:${wrong}@127.0.0.1:${port}`)
      const error = yield* Effect.flip(Layer.build(RedisClusterConnection.layer({ url })))
      assert.include(error.message, "refuses the user name or the password")
      assertNoCanary(error, [right, wrong])
    })
  )
})

describe("a URL with several hosts", () => {
  for (const [url, topology, problem] of [
    ["redis://a,b:2", "single", "It names several hosts"],
    ["redis://a,b:port", "sentinel", "must be redis://"],
    ["redis://a,,b", "cluster", "must be redis://"],
    ["redis://user:100%@a,b", "cluster", "must be redis://"],
    ["redis://a,b/3", "cluster", "names a database"]
  ] as const)
    it(`a URL of Redis with several hosts is refused where it makes no sense: ${url} (${topology})`, () => {
      assert.include(redisUrlProblem(Redacted.make(url), topology), problem)
    })

  it("a URL of Redis with several hosts is taken for Sentinel and Cluster", () => {
    assert.isUndefined(redisUrlProblem(Redacted.make("rediss://u:p%2C@a,b:2,[::1]:3/4"), "sentinel"))
    assert.isUndefined(redisUrlProblem(Redacted.make("redis://a,b:2/0"), "cluster"))
  })
})
