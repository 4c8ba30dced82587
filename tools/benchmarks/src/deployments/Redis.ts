import { findProgram, RedisServer, redisProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { CouldNotStart } from "../process/CouldNotStart.ts"

/** A Redis of its own, until the scope closes. Gives its URL. */
export const startRedis = Effect.gen(function* () {
  const program = findProgram(redisProgram)
  if (program === undefined)
    return yield* new CouldNotStart({
      program: "redis-server",
      reason: "not installed (npm run setup:system)",
      isMissing: true
    })
  return (yield* RedisServer.make(program)).url
})

/** The key that tokens in Redis are encrypted with. */
export const encryptionKey = "a key of at least thirty-two characters: 0123456789"

/** The `store` of a configuration. */
export const redisStore = (url: string) => ({ type: "redis", url, encryption_key: encryptionKey })
