import type { OAuthEvent } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Match from "effect/Match"
import * as Metric from "effect/Metric"
import { type Instrument, instruments } from "./Instruments.ts"

/**
 * Counts events into a registry. The only label values are the server's name and, for failures, the reason: never the person
 * that an event names.
 */
export const makeEventRecorder = (registry: Metric.MetricRegistry) => {
  // A context of its own keeps out the attributes of the fiber that publishes.
  const context = Context.make(Metric.MetricRegistry, registry)
  // One for each server: making a metric costs more than counting with it.
  const servers = new Map<string, ServerRecorder>()
  const recorderOf = (serverName: string): ServerRecorder => {
    const known = servers.get(serverName)
    if (known !== undefined) return known
    const recorder = makeServerRecorder(serverName, context)
    servers.set(serverName, recorder)
    return recorder
  }
  return {
    record: (event: OAuthEvent): void => recorderOf(event.serverName).record(event),
    countHits: (serverName: string, hits: number): void => recorderOf(serverName).countHits(hits)
  }
}

interface ServerRecorder {
  readonly record: (event: OAuthEvent) => void
  readonly countHits: (hits: number) => void
}

const makeServerRecorder = (server: string, context: Context.Context<never>): ServerRecorder => {
  const counterOf = ({ help, name }: Instrument, labels?: { readonly reason: string }) =>
    Metric.counter(name, { description: help, attributes: { server, ...labels }, incremental: true })
  const counterAtZero = (instrument: Instrument) => {
    const counter = counterOf(instrument)
    counter.updateUnsafe(0, context)
    return (count: number) => counter.updateUnsafe(count, context)
  }
  const startAtZero = (instrument: Instrument) => {
    const count = counterAtZero(instrument)
    return () => count(1)
  }

  const countAcquisition = startAtZero(instruments.acquisitions)
  const countSuccess = startAtZero(instruments.successes)
  const countHits = counterAtZero(instruments.hits)
  const countMiss = startAtZero(instruments.misses)
  const countRefresh = startAtZero(instruments.refreshes)
  const countInvalidation = startAtZero(instruments.invalidations)
  const countExpiration = startAtZero(instruments.expirations)
  const countRevocation = startAtZero(instruments.revocations)
  const { acquisitionDuration, certificateExpiry } = instruments
  const duration = Metric.histogram(acquisitionDuration.name, {
    description: acquisitionDuration.help,
    boundaries: acquisitionDuration.boundaries,
    attributes: { server }
  })
  const measure = (acquisition: { readonly duration: Duration.Duration }) =>
    duration.updateUnsafe(Duration.toSeconds(acquisition.duration), context)

  const record = Match.typeTags<OAuthEvent, void>()({
    CacheHit: () => countHits(1),
    CacheMiss: countMiss,
    TokenAcquired: (event) => {
      countAcquisition()
      countSuccess()
      if (event.refresh) countRefresh()
      measure(event)
    },
    AcquisitionFailed: (event) => {
      countAcquisition()
      counterOf(instruments.failures, { reason: event.reason }).updateUnsafe(1, context)
      measure(event)
    },
    TokenInvalidated: countInvalidation,
    TokenExpired: countExpiration,
    TokenRevoked: countRevocation,
    ToolCallRefused: () => counterOf(instruments.refusedToolCalls).updateUnsafe(1, context),
    CertificateInUse: ({ expiresAt }) =>
      Metric.gauge(certificateExpiry.name, {
        description: certificateExpiry.help,
        attributes: { server }
      }).updateUnsafe(expiresAt / 1000, context)
  })
  return { record, countHits }
}
