// Metrics alone: events of anybody, counted, with a cache that is somebody else's.
import assert from "node:assert/strict"
import { OAuthEvents, TokenCache } from "@secure-mcp/oauth-core"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const program = Effect.gen(function* () {
  const events = yield* OAuthEvents
  yield* events.publish({ _tag: "CacheMiss", serverName: "api" })
  return yield* (yield* OAuthMetrics).prometheus
})
const Cache = Layer.mock(TokenCache)({ list: Effect.succeed([]), peek: () => undefined })
const Live = Layer.provideMerge(Cache, OAuthMetrics.layer)
assert.match(await Effect.runPromise(Effect.provide(program, Live)), /cache_misses_total\S* 1/)
