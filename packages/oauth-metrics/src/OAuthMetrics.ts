import { OAuthEventListeners, TokenCache, type OAuthError } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { metricsSnapshot, type MetricsSnapshot } from "./MetricsSnapshot.ts"
import { prometheusText } from "./PrometheusText.ts"
import { makeEventRecorder } from "./EventRecorder.ts"

/**
 * What happened to tokens, counted since the layer was built.
 *
 * Both effects read the active tokens from the `TokenCache` when they run, and not the layer when it is built,
 * because the cache itself is built on this layer to be counted.
 *
 * @effect-expect-leaking TokenCache
 *
 * @example
 * ```ts
 * import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
 * import * as Effect from "effect/Effect"
 *
 * const metrics = Effect.flatMap(OAuthMetrics, ({ prometheus }) => prometheus)
 * ```
 */
export class OAuthMetrics extends Context.Service<
  OAuthMetrics,
  {
    /** All servers together. Fails when the cache cannot list its tokens. */
    readonly snapshot: Effect.Effect<MetricsSnapshot, OAuthError, TokenCache>
    /**
     * The Prometheus text format, version 0.0.4, by server. When the cache cannot list its tokens, the gauge
     * `mcp_oauth_active_tokens` has no samples and a warning is logged: an outage of the token store is when the
     * other numbers are needed.
     */
    readonly prometheus: Effect.Effect<string, never, TokenCache>
  }
>()("@secure-mcp/oauth-metrics/OAuthMetrics") {
  /**
   * Also provides `OAuthEvents`, which `OAuthService`, `TokenCache` and `MtlsOAuthHttp` read when they are built: provide
   * this layer to theirs. Merging it alongside them has no effect: they would see the default, which does nothing. Merge it
   * with other listeners (`OAuthEventListeners.listen`): each of them hears all events.
   *
   * Counts in a registry of its own: neither another gateway in the process nor the metrics of the program mix in.
   *
   * @example
   * ```ts
   * import { OAuthService, type Grants, type OAuthHttp, type TokenCache } from "@secure-mcp/oauth-core"
   * import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
   * import * as Effect from "effect/Effect"
   * import * as Layer from "effect/Layer"
   *
   * export const counted = (ports: Layer.Layer<Grants | OAuthHttp | TokenCache>) =>
   *   OAuthService.layer.pipe(Layer.provideMerge(ports), Layer.provideMerge(OAuthMetrics.layer))
   *
   * export const scrape = Effect.flatMap(OAuthMetrics, ({ prometheus }) => prometheus)
   * ```
   */
  static readonly layer: Layer.Layer<OAuthMetrics> = Layer.effect(
    OAuthMetrics,
    Effect.suspend(() => make)
  ).pipe(Layer.provideMerge(OAuthEventListeners.layer))
}

const make = Effect.gen(function* () {
  const registry: Metric.MetricRegistry = new Map()
  const { countHits, record } = makeEventRecorder(registry)
  const metrics = OAuthMetrics.of({
    snapshot: Effect.map(listTokens, (tokens) => metricsSnapshot(registry, tokens.length)),
    prometheus: listTokens.pipe(
      Effect.catch((error) => Effect.as(Effect.logWarning(error.message), undefined)),
      Effect.map((tokens) =>
        prometheusText(
          registry,
          tokens?.map(({ key }) => key.serverName)
        )
      )
    )
  })
  const { add } = yield* OAuthEventListeners
  yield* add({
    name: "metrics",
    receive: (event) => Effect.sync(() => record(event)),
    countHit: countHits
  })
  return metrics
})

const listTokens = Effect.flatMap(TokenCache, (cache) => cache.list)
