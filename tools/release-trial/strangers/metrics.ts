// Metrics alone: events of anybody, counted.
import assert from "node:assert/strict"
import { OAuthEvents } from "@secure-mcp/oauth-core"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const program = Effect.gen(function* () {
  const events = yield* OAuthEvents
  yield* events.publish({ _tag: "CacheMiss", serverName: "api" })
  return yield* (yield* OAuthMetrics).prometheus
})
const Live = Layer.provideMerge(SingleFlightTokenCache.layerMemory, OAuthMetrics.layer)
assert.match(await Effect.runPromise(Effect.provide(program, Live)), /cache_misses_total\S* 1/)
