import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { acquisitionDuration, counters } from "./TokenInstruments.ts"

/** The numbers of all servers together. Zero, and never NaN, as long as nothing happened. */
export interface MetricsSnapshot {
  /** Acquisitions that finished. A caller that joins one under way starts none. */
  readonly token_acquisitions_total: number
  readonly token_acquisitions_success: number
  readonly token_acquisitions_failure: number
  readonly token_cache_hits: number
  /** Callers that had to wait for a token, also those that joined. */
  readonly token_cache_misses: number
  /** Successful acquisitions that replaced a token that was kept. */
  readonly token_refreshes: number
  readonly token_invalidations: number
  readonly token_expirations: number
  /** Hits of all hits and misses, 0 to 1. */
  readonly cache_hit_ratio: number
  /** Successes of all finished acquisitions, 0 to 1. */
  readonly success_rate: number
  /** Milliseconds an acquisition took, with all its attempts; successful and failed ones alike. */
  readonly avg_latency_ms: number
  readonly max_latency_ms: number
  readonly min_latency_ms: number
  /** Tokens that can be served now. */
  readonly active_tokens: number
}

/** The totals in a registry over all servers; a counter that nothing has counted yet is 0. */
export const metricsSnapshot = (registry: Metric.MetricRegistry, activeTokens: number): MetricsSnapshot => {
  const series = Metric.snapshotUnsafe(Context.make(Metric.MetricRegistry, registry))
  const total = ({ name }: { readonly name: string }) =>
    series.reduce(
      (sum, one) => (one.type === "Counter" && one.id === name ? sum + Number(one.state.count) : sum),
      0
    )
  const acquisitions = total(counters.acquisitions)
  const successes = total(counters.successes)
  const hits = total(counters.hits)
  const misses = total(counters.misses)
  return {
    token_acquisitions_total: acquisitions,
    token_acquisitions_success: successes,
    token_acquisitions_failure: total(counters.failures),
    token_cache_hits: hits,
    token_cache_misses: misses,
    token_refreshes: total(counters.refreshes),
    token_invalidations: total(counters.invalidations),
    token_expirations: total(counters.expirations),
    cache_hit_ratio: ratio(hits, hits + misses),
    success_rate: ratio(successes, acquisitions),
    ...latencies(series),
    active_tokens: activeTokens
  }
}

const latencies = (series: ReadonlyArray<Metric.Metric.Snapshot>) => {
  const measured = series.flatMap((one) =>
    one.type === "Histogram" && one.id === acquisitionDuration.name && one.state.count > 0 ? [one.state] : []
  )
  // An unused histogram has the largest number as its minimum.
  if (measured.length === 0) return { avg_latency_ms: 0, max_latency_ms: 0, min_latency_ms: 0 }
  const sum = measured.reduce((seconds, state) => seconds + state.sum, 0)
  const count = measured.reduce((all, state) => all + state.count, 0)
  return {
    avg_latency_ms: milliseconds(sum / count),
    max_latency_ms: milliseconds(Math.max(...measured.map(({ max }) => max))),
    min_latency_ms: milliseconds(Math.min(...measured.map(({ min }) => min)))
  }
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)

/** To the microsecond, so that 0.057 s do not read 57.00000000000001 ms. */
const milliseconds = (seconds: number): number => Math.round(seconds * 1_000_000) / 1000
