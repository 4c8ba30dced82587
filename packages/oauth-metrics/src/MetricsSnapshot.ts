import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { instruments } from "./Instruments.ts"

/** The numbers of all servers together. All zero, never NaN, until something happens. */
export interface MetricsSnapshot {
  /** Acquisitions that finished. A caller that joins one under way starts none. */
  readonly token_acquisitions_total: number
  /** Acquisitions that gave a token. */
  readonly token_acquisitions_success: number
  /** Acquisitions that gave no token. */
  readonly token_acquisitions_failure: number
  /** Callers that got a cached token at once. */
  readonly token_cache_hits: number
  /** Callers that had to wait for a token, also those that joined. */
  readonly token_cache_misses: number
  /** Successful acquisitions that replaced a cached token. */
  readonly token_refreshes: number
  /** Tokens removed on request. */
  readonly token_invalidations: number
  /** Tokens that expired. */
  readonly token_expirations: number
  /** Hits divided by hits and misses, 0 to 1. */
  readonly cache_hit_ratio: number
  /** Successes divided by finished acquisitions, 0 to 1. */
  readonly success_rate: number
  /** The mean duration of an acquisition with all its attempts, successful or not, in milliseconds. */
  readonly avg_latency_ms: number
  /** The longest acquisition, in milliseconds. */
  readonly max_latency_ms: number
  /** The shortest acquisition, in milliseconds. */
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
  const acquisitions = total(instruments.acquisitions)
  const successes = total(instruments.successes)
  const hits = total(instruments.hits)
  const misses = total(instruments.misses)
  return {
    token_acquisitions_total: acquisitions,
    token_acquisitions_success: successes,
    token_acquisitions_failure: total(instruments.failures),
    token_cache_hits: hits,
    token_cache_misses: misses,
    token_refreshes: total(instruments.refreshes),
    token_invalidations: total(instruments.invalidations),
    token_expirations: total(instruments.expirations),
    cache_hit_ratio: ratio(hits, hits + misses),
    success_rate: ratio(successes, acquisitions),
    ...latencies(series),
    active_tokens: activeTokens
  }
}

const latencies = (series: ReadonlyArray<Metric.Metric.Snapshot>) => {
  const measured = series.flatMap((one) =>
    one.type === "Histogram" && one.id === instruments.acquisitionDuration.name && one.state.count > 0
      ? [one.state]
      : []
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
