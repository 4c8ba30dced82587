import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { redisProgram, RedisNodes, requireProgram } from "@secure-mcp/testing"
import { renewThroughOutage } from "@secure-mcp/token-cache/testing"
import { RedisSentinelConnection } from "@secure-mcp/token-cache-redis"
import { beforeAll } from "vitest"
import { openInstances } from "./instances.ts"

describe("Redis Sentinel", () => {
  let program: string | undefined
  beforeAll(() => {
    program = requireProgram(redisProgram)
  })

  it.live(
    "no refresh token is sent twice when Sentinel makes another Redis the primary, and renewals go on",
    ({ skip }) =>
      Effect.gen(function* () {
        const { name, primary, replica, sentinels } = yield* RedisNodes.makeSentinels(
          program ?? skip("no redis-server")
        )
        const places = sentinels.map((port) => `127.0.0.1:${port}`).join(",")
        const connection = RedisSentinelConnection.layer({ url: Redacted.make(`redis://${places}`), name })
        // The replica falls behind first, so that a failover undoes what the primary has acknowledged by itself.
        const failover = replica.pause.pipe(
          Effect.andThen(Effect.sleep("700 millis")),
          Effect.andThen(primary.kill),
          Effect.andThen(replica.resume)
        )
        assert.isUndefined(yield* renewThroughOutage(yield* openInstances(connection), failover))
      })
  )
})
