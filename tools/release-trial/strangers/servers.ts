// What some strangers talk to: an authorization server, an MCP server that wants its tokens, and Redis where there is one.
import { EchoServer } from "@secure-mcp/echo-server"
import { findProgram, ProviderBehaviour, redisProgram, RedisServer } from "@secure-mcp/testing"
import { startAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

const { endpoint } = await startAuthorizationServer({ "/token": ProviderBehaviour.rotatesRefreshTokens })
const program = Effect.gen(function* () {
  const mcp = yield* EchoServer.make({
    authorize: (header) =>
      Effect.succeed(header !== undefined && Redacted.value(header).startsWith("Bearer access-"))
  })
  const redis = findProgram(redisProgram)
  const REDIS_URL = redis === undefined ? undefined : (yield* RedisServer.make(redis)).url
  const places = { MCP_URL: mcp.url, TOKEN_URL: endpoint("/token"), REDIS_URL }
  process.stdout.write(`${JSON.stringify(places)}\n`)
  return yield* Effect.never
})
await Effect.runPromise(Effect.scoped(program))
