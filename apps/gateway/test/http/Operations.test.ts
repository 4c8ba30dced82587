import { assert, describe, it } from "@effect/vitest"
import { Answer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { ping, send, serveRaw } from "./RawHttp.ts"
import { clientSecret, startGateway, startTokenEndpoint } from "./RunningGateway.ts"

const startCounting = Effect.gen(function* () {
  const tokenEndpoint = yield* startTokenEndpoint
  const upstream = yield* serveRaw((request, response) => {
    response.writeHead(request.headers.authorization === "Bearer token-1" && refuses ? 401 : 200).end()
  })
  let refuses = false
  const config = { url: upstream.url }
  const gateway = yield* startGateway({
    servers: [
      { server_name: "raw", config, oauth: tokenEndpoint.oauth },
      { server_name: "broken", config, oauth: { ...tokenEndpoint.oauth, scope: "broken" } }
    ]
  })
  const read = (path: string) => Effect.map(send(gateway.url + path), ({ body }) => body.toString())
  return {
    gateway,
    tokenEndpoint,
    refuseFirstToken: () => (refuses = true),
    prometheus: read("/metrics"),
    snapshot: Effect.map(read("/metrics.json"), (text): Record<string, number> => JSON.parse(text))
  }
})

describe("the gateway", () => {
  it.effect("the health endpoints report a running and ready gateway", () =>
    Effect.gen(function* () {
      const { gateway } = yield* startCounting
      assert.deepInclude(yield* send(`${gateway.url}/healthz`), { status: 200, body: Buffer.from("ok\n") })
      assert.deepInclude(yield* send(`${gateway.url}/readyz`), { status: 200, body: Buffer.from("ready\n") })
    })
  )

  it.effect("every metric starts at zero", () =>
    Effect.gen(function* () {
      const { gateway, prometheus, snapshot } = yield* startCounting
      assert.deepStrictEqual(yield* snapshot, {
        token_acquisitions_total: 0,
        token_acquisitions_success: 0,
        token_acquisitions_failure: 0,
        token_cache_hits: 0,
        token_cache_misses: 0,
        token_refreshes: 0,
        token_invalidations: 0,
        token_expirations: 0,
        cache_hit_ratio: 0,
        success_rate: 0,
        avg_latency_ms: 0,
        max_latency_ms: 0,
        min_latency_ms: 0,
        active_tokens: 0
      })
      assert.include(yield* prometheus, "# TYPE mcp_oauth_token_acquisitions_total counter")
      const { headers } = yield* send(`${gateway.url}/metrics`)
      assert.strictEqual(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
    })
  )

  it.effect("the metrics count hits, misses, refreshes and failures, and show no secret", () =>
    Effect.gen(function* () {
      const { gateway, prometheus, refuseFirstToken, snapshot, tokenEndpoint } = yield* startCounting
      yield* send(gateway.mcp("raw"), ping)
      yield* send(gateway.mcp("raw"), ping)
      refuseFirstToken()
      yield* send(gateway.mcp("raw"), ping)
      yield* tokenEndpoint.always("/token", Answer.json({ error: "invalid_scope" }, { status: 400 }))
      yield* send(gateway.mcp("broken"), ping)

      const { avg_latency_ms, max_latency_ms, min_latency_ms, ...counts } = yield* snapshot
      assert.deepStrictEqual(counts, {
        token_acquisitions_total: 3,
        token_acquisitions_success: 2,
        token_acquisitions_failure: 1,
        token_cache_hits: 2,
        token_cache_misses: 3,
        token_refreshes: 1,
        token_invalidations: 0,
        token_expirations: 0,
        cache_hit_ratio: 0.4,
        success_rate: 2 / 3,
        active_tokens: 1
      })
      for (const latency of [avg_latency_ms, max_latency_ms, min_latency_ms])
        assert.isAtLeast(latency ?? -1, 0)

      const text = yield* prometheus
      for (const sample of [
        'mcp_oauth_token_acquisitions_total{server="raw"} 2',
        'mcp_oauth_token_acquisitions_failure_total{server="broken",reason="RequestRefused"} 1',
        'mcp_oauth_token_cache_hits_total{server="raw"} 2',
        'mcp_oauth_token_refreshes_total{server="raw"} 1',
        'mcp_oauth_token_acquisition_duration_seconds_count{server="raw"} 2',
        'mcp_oauth_active_tokens{server="raw"} 1'
      ]) {
        assert.include(text, sample)
      }
      for (const secret of ["token-1", "token-2", clientSecret]) assert.notInclude(text, secret)
    })
  )
})
