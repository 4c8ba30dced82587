import { assert, describe, it } from "@effect/vitest"
import { decodeOAuthConfig, Grants, OAuthEvents, OAuthHttp, OAuthService } from "@secure-mcp/oauth-core"
import { OAuthMetrics, type MetricsSnapshot } from "@secure-mcp/oauth-metrics"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import { parsePrometheus } from "./PrometheusParser.ts"
import {
  acquired,
  cacheWith,
  failed,
  fresh,
  hit,
  miss,
  publish,
  readPrometheus,
  readSnapshot,
  storeDown,
  token
} from "./TokenEvents.ts"

const nothing: MetricsSnapshot = {
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
}

describe("snapshot", () => {
  it.effect("a fresh snapshot is all zero", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* readSnapshot, nothing)
    }).pipe(fresh(cacheWith()))
  )

  it.effect("a snapshot has no NaN while only some things happened", () =>
    Effect.gen(function* () {
      yield* publish({ _tag: "TokenInvalidated", serverName: "a" }, { _tag: "TokenRevoked", serverName: "a" })
      assert.deepStrictEqual(yield* readSnapshot, { ...nothing, token_invalidations: 1 })
    }).pipe(fresh(cacheWith()))
  )

  it.effect("a snapshot counts every event of all servers together", () =>
    Effect.gen(function* () {
      yield* publish(
        miss("a"),
        acquired("a", 120),
        hit("a"),
        hit("a"),
        hit("b"),
        acquired("a", 57, true),
        miss("b"),
        failed("b", 30_000.5),
        { _tag: "TokenInvalidated", serverName: "a" },
        { _tag: "TokenExpired", serverName: "a" },
        { _tag: "TokenExpired", serverName: "b" },
        { _tag: "TokenRevoked", serverName: "b" }
      )
      assert.deepStrictEqual(yield* readSnapshot, {
        token_acquisitions_total: 3,
        token_acquisitions_success: 2,
        token_acquisitions_failure: 1,
        token_cache_hits: 3,
        token_cache_misses: 2,
        token_refreshes: 1,
        token_invalidations: 1,
        token_expirations: 2,
        cache_hit_ratio: 0.6,
        success_rate: 2 / 3,
        avg_latency_ms: 10_059.167,
        max_latency_ms: 30_000.5,
        min_latency_ms: 57,
        active_tokens: 3
      })
    }).pipe(fresh(cacheWith("a", "a", "b")))
  )

  it.effect("a snapshot measures an instant acquisition as zero, not as unknown", () =>
    Effect.gen(function* () {
      yield* publish(acquired("a", 0), acquired("a", 10))
      const { avg_latency_ms, max_latency_ms, min_latency_ms } = yield* readSnapshot
      assert.deepStrictEqual([min_latency_ms, avg_latency_ms, max_latency_ms], [0, 5, 10])
    }).pipe(fresh(cacheWith()))
  )

  it.effect("a snapshot fails when the cache cannot list its tokens", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(readSnapshot)).reason.message.includes("ECONNREFUSED"), true)
    }).pipe(fresh(storeDown))
  )
})

describe("persons", () => {
  it.effect("no metric is labelled with the person that an event names", () =>
    Effect.gen(function* () {
      const subject = "canary-subject"
      yield* publish(
        { ...acquired("a", 1), subject },
        { ...failed("a", 1), subject },
        { _tag: "TokenInvalidated", serverName: "a", subject },
        { _tag: "TokenRevoked", serverName: "a", subject }
      )
      const text = yield* readPrometheus
      assert.include(text, 'mcp_oauth_token_revocations_total{server="a"} 1')
      assert.notInclude(text, subject)
      assert.notInclude(JSON.stringify(yield* readSnapshot), subject)
      const labels = [...parsePrometheus(text).values()].flatMap(({ samples }) =>
        samples.flatMap((sample) => Object.keys(sample.labels))
      )
      assert.deepStrictEqual([...new Set(labels)].toSorted(), ["le", "reason", "server"])
    }).pipe(fresh(cacheWith()))
  )
})

describe("layer", () => {
  it.effect("the metrics layer receives the events of all layers built on it", () =>
    Effect.gen(function* () {
      const service = yield* OAuthService
      yield* service.revoke({ serverName: "a", config })
      const revocations = parsePrometheus(yield* readPrometheus).get("mcp_oauth_token_revocations_total")
      assert.deepStrictEqual(
        revocations?.samples.map(({ value }) => value),
        [1]
      )
    }).pipe(
      Effect.provide(
        OAuthService.layer.pipe(
          Layer.provideMerge(cacheWith()),
          Layer.provide([grants, OAuthHttp.layer.pipe(Layer.provide(FetchHttpClient.layer))]),
          Layer.provideMerge(OAuthMetrics.layer)
        )
      )
    )
  )

  it.effect("the metrics layer is one instance for all who provide it in one build", () =>
    Effect.gen(function* () {
      yield* (yield* First).publish(hit("a"))
      yield* (yield* Second).publish(hit("a"))
      assert.strictEqual((yield* readSnapshot).token_cache_hits, 2)
    }).pipe(Effect.provide([First.layer, Second.layer, OAuthMetrics.layer, cacheWith()]))
  )

  it.effect("the metrics of two gateways in one process are separate", () =>
    Effect.gen(function* () {
      const gateway = Layer.build(Layer.fresh(Layer.merge(OAuthMetrics.layer, cacheWith())))
      const one = yield* gateway
      const other = yield* gateway
      yield* Effect.provide(publish(hit("a")), one)
      assert.strictEqual((yield* Effect.provide(readSnapshot, one)).token_cache_hits, 1)
      assert.deepStrictEqual(yield* Effect.provide(readSnapshot, other), nothing)
    })
  )

  it.effect("the metrics are separate from those of the process", () =>
    Effect.gen(function* () {
      yield* Metric.update(Metric.counter("somebody_elses_total"), 1)
      yield* publish(hit("a"))
      assert.notInclude(yield* readPrometheus, "somebody_elses_total")
      const ofTheProcess = (yield* Metric.snapshot).map(({ id }) => id)
      assert.deepStrictEqual(ofTheProcess, ["somebody_elses_total"])
    }).pipe(fresh(cacheWith()), Effect.provideService(Metric.MetricRegistry, new Map()))
  )
})

/** Two consumers that each bring the metrics layer along. */
class First extends Context.Service<First, typeof OAuthEvents.Service>()(
  "@secure-mcp/oauth-metrics/test/First"
) {
  static readonly layer = Layer.effect(First, Effect.map(OAuthEvents, First.of)).pipe(
    Layer.provide(OAuthMetrics.layer)
  )
}

class Second extends Context.Service<Second, typeof OAuthEvents.Service>()(
  "@secure-mcp/oauth-metrics/test/Second"
) {
  static readonly layer = Layer.effect(Second, Effect.map(OAuthEvents, Second.of)).pipe(
    Layer.provide(OAuthMetrics.layer)
  )
}

const config = Result.getOrThrow(
  decodeOAuthConfig({
    enabled: true,
    token_url: "https://auth.example.com/token",
    client_id: "client",
    client_secret: "secret"
  })
)

const grants = Layer.succeed(Grants, {
  acquire: () => Effect.succeed(token),
  authorize: () => Effect.die("not used here"),
  redeem: () => Effect.die("not used here"),
  authorizeDevice: () => Effect.die("not used here"),
  revoke: () => Effect.succeed("Revoked")
})
