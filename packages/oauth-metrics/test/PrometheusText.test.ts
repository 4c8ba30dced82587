import { assert, describe, it } from "@effect/vitest"
import type { OAuthEvent } from "@secure-mcp/oauth-core"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
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
  storeDown
} from "./TokenEvents.ts"

describe("prometheus", () => {
  it.effect("the text has the format of Prometheus, name by name", () =>
    Effect.gen(function* () {
      yield* publish(
        miss("a"),
        acquired("a", 80),
        hit("a"),
        acquired("a", 50, true),
        acquired("a", 60_000),
        failed("b.example", 3_000),
        failed("b.example", 3_000)
      )
      const families = parsePrometheus(yield* readPrometheus)
      assert.deepStrictEqual(Object.fromEntries([...families].map(([name, { type }]) => [name, type])), {
        mcp_oauth_token_acquisitions_total: "counter",
        mcp_oauth_token_acquisitions_success_total: "counter",
        mcp_oauth_token_acquisitions_failure_total: "counter",
        mcp_oauth_token_cache_hits_total: "counter",
        mcp_oauth_token_cache_misses_total: "counter",
        mcp_oauth_token_refreshes_total: "counter",
        mcp_oauth_token_invalidations_total: "counter",
        mcp_oauth_token_expirations_total: "counter",
        mcp_oauth_token_revocations_total: "counter",
        mcp_gateway_tool_calls_refused_total: "counter",
        mcp_oauth_token_acquisition_duration_seconds: "histogram",
        mcp_oauth_active_tokens: "gauge",
        mcp_oauth_client_certificate_expiry_timestamp_seconds: "gauge"
      })
      const samples = [...families.values()].flatMap((family) => family.samples)
      const valueOf = (name: string, labels: Readonly<Record<string, string>>) =>
        samples
          .filter((sample) => sample.name === name && sameLabels(sample.labels, labels))
          .map(({ value }) => value)
      const a = { server: "a" }
      const b = { server: "b.example" }
      assert.deepStrictEqual(valueOf("mcp_oauth_token_acquisitions_total", a), [3])
      assert.deepStrictEqual(valueOf("mcp_oauth_token_acquisitions_total", b), [2])
      assert.deepStrictEqual(valueOf("mcp_oauth_token_acquisitions_success_total", a), [3])
      assert.deepStrictEqual(valueOf("mcp_oauth_token_acquisitions_success_total", b), [0])
      assert.deepStrictEqual(
        valueOf("mcp_oauth_token_acquisitions_failure_total", { ...b, reason: "RequestTimeout" }),
        [2]
      )
      assert.deepStrictEqual(valueOf("mcp_oauth_token_cache_hits_total", a), [1])
      assert.deepStrictEqual(valueOf("mcp_oauth_token_cache_misses_total", a), [1])
      assert.deepStrictEqual(valueOf("mcp_oauth_token_refreshes_total", a), [1])
      assert.deepStrictEqual(valueOf("mcp_oauth_token_revocations_total", a), [0])
      assert.deepStrictEqual(valueOf("mcp_oauth_active_tokens", a), [2])
      assert.deepStrictEqual(valueOf("mcp_oauth_active_tokens", b), [0])

      const duration = "mcp_oauth_token_acquisition_duration_seconds"
      assert.deepStrictEqual(valueOf(`${duration}_bucket`, { ...a, le: "0.05" }), [1])
      assert.deepStrictEqual(valueOf(`${duration}_bucket`, { ...a, le: "0.1" }), [2])
      assert.deepStrictEqual(valueOf(`${duration}_bucket`, { ...a, le: "45" }), [2])
      assert.deepStrictEqual(valueOf(`${duration}_bucket`, { ...a, le: "+Inf" }), [3])
      assert.deepStrictEqual(valueOf(`${duration}_count`, a), [3])
      assert.closeTo(valueOf(`${duration}_sum`, a)[0] ?? NaN, 60.13, 1e-9)
      assert.deepStrictEqual(valueOf(`${duration}_sum`, b), [6])
    }).pipe(fresh(cacheWith("a", "a")))
  )

  it.effect("the text declares every family at a fresh start, without a sample", () =>
    Effect.gen(function* () {
      const families = parsePrometheus(yield* readPrometheus)
      assert.strictEqual(families.size, 13)
      assert.deepStrictEqual(
        [...families.values()].flatMap(({ samples }) => samples),
        []
      )
    }).pipe(fresh(cacheWith()))
  )

  it.effect("the text drops the gauge of a server without any other data between two scrapes", () =>
    Effect.gen(function* () {
      const { prometheus } = yield* OAuthMetrics
      yield* publish(hit("a"))
      const gauges = (text: string) =>
        parsePrometheus(text)
          .get("mcp_oauth_active_tokens")
          ?.samples.map(({ labels, value }) => [labels["server"], value])
      const before = yield* Effect.provide(prometheus, cacheWith("a", "stored"))
      const after = yield* Effect.provide(prometheus, cacheWith())
      assert.deepStrictEqual(gauges(before), [
        ["a", 1],
        ["stored", 1]
      ])
      assert.deepStrictEqual(gauges(after), [["a", 0]])
    }).pipe(Effect.provide(Layer.fresh(OAuthMetrics.layer)))
  )

  it.effect("the text has the expiry of the current certificate, and then of the one that replaced it", () =>
    Effect.gen(function* () {
      const expiry = Effect.map(
        readPrometheus,
        (text) => parsePrometheus(text).get("mcp_oauth_client_certificate_expiry_timestamp_seconds")?.samples
      )
      const name = "mcp_oauth_client_certificate_expiry_timestamp_seconds"
      const inUse = (serverName: string, date: string): OAuthEvent => ({
        _tag: "CertificateInUse",
        serverName,
        expiresAt: Date.parse(date)
      })
      yield* publish(
        hit("plain"),
        inUse("a", "2027-01-01"),
        inUse("b", "2028-01-01"),
        inUse("a", "2029-01-01")
      )
      assert.deepStrictEqual(yield* expiry, [
        { name, labels: { server: "a" }, value: 1_861_920_000 },
        { name, labels: { server: "b" }, value: 1_830_297_600 }
      ])
    }).pipe(fresh(cacheWith()))
  )

  it.effect("label values are escaped", () =>
    Effect.gen(function* () {
      const name = 'quote " backslash \\ newline \n } end'
      yield* publish(hit(name))
      const hits = parsePrometheus(yield* readPrometheus).get("mcp_oauth_token_cache_hits_total")
      assert.deepStrictEqual(
        hits?.samples.map(({ labels }) => labels),
        [{ server: name }]
      )
    }).pipe(fresh(cacheWith()))
  )

  it.effect("there is no label but server, reason and le, and none has a token or its owner", () =>
    Effect.gen(function* () {
      yield* publish(miss("a"), acquired("a", 1), failed("a", 1), hit("a"))
      const text = yield* readPrometheus
      const labels = [...parsePrometheus(text).values()].flatMap(({ samples }) =>
        samples.flatMap((sample) => Object.keys(sample.labels))
      )
      assert.deepStrictEqual([...new Set(labels)].sort(), ["le", "reason", "server"])
      assert.notInclude(text, "canary")
    }).pipe(
      fresh(cacheWith("a")),
      // What a program says about its own metrics must not end up on these.
      Effect.provideService(Metric.CurrentMetricAttributes, { subject: "canary-attribute" })
    )
  )

  it.effect("the text has the counters even when the cache cannot list its tokens", () =>
    Effect.gen(function* () {
      yield* publish(hit("a"))
      const families = parsePrometheus(yield* readPrometheus)
      assert.deepStrictEqual(families.get("mcp_oauth_active_tokens")?.samples, [])
      assert.strictEqual(families.get("mcp_oauth_token_cache_hits_total")?.samples[0]?.value, 1)
    }).pipe(fresh(storeDown))
  )
})

const sameLabels = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean =>
  JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort())
