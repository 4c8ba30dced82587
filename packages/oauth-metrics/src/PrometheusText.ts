import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { instruments } from "./Instruments.ts"

/**
 * The Prometheus text format (version 0.0.4) of a registry.
 *
 * @param tokenServers the server of each active token; undefined if that is not known
 */
export const prometheusText = (
  registry: Metric.MetricRegistry,
  tokenServers: ReadonlyArray<string> | undefined
): string => {
  // This gauge is a value at the time of the scrape: it is set in a copy, so that it does not stay without its server.
  const context = Context.make(Metric.MetricRegistry, new Map(registry))
  if (tokenServers !== undefined) {
    for (const [server, count] of countByServer(registry, tokenServers)) {
      Metric.gauge(instruments.activeTokens.name, {
        description: instruments.activeTokens.help,
        attributes: { server }
      }).updateUnsafe(count, context)
    }
  }
  const samples = PrometheusMetrics.formatUnsafe(context)
  return samples + declarationsMissingIn(samples)
}

/** A server that is in the registry and has no token counts zero. */
const countByServer = (
  registry: Metric.MetricRegistry,
  tokenServers: ReadonlyArray<string>
): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const { attributes } of registry.values()) {
    if (attributes?.["server"] !== undefined) counts.set(attributes["server"], 0)
  }
  for (const server of tokenServers) counts.set(server, (counts.get(server) ?? 0) + 1)
  return counts
}

/** A family without samples is still declared, so that a fresh start does not look like a failure. */
const declarationsMissingIn = (samples: string): string =>
  Object.values(instruments)
    .map(({ help, name, type }) => ({
      type: `# TYPE ${name} ${type}\n`,
      help: `# HELP ${name} ${help}\n`
    }))
    .filter(({ type }) => !samples.includes(type))
    .map(({ help, type }) => help + type)
    .join("")
