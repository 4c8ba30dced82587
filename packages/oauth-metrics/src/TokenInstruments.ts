import type { OAuthEvent } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Match from "effect/Match"
import * as Metric from "effect/Metric"

/** Every counter: its Prometheus name and what it counts. */
export const counters = {
  acquisitions: {
    name: "mcp_oauth_token_acquisitions_total",
    description: "Token acquisitions that finished, with success or not"
  },
  successes: {
    name: "mcp_oauth_token_acquisitions_success_total",
    description: "Token acquisitions that gave a token"
  },
  failures: {
    name: "mcp_oauth_token_acquisitions_failure_total",
    description: "Token acquisitions that gave no token, by reason"
  },
  hits: {
    name: "mcp_oauth_token_cache_hits_total",
    description: "Requests served with a token that was kept"
  },
  misses: {
    name: "mcp_oauth_token_cache_misses_total",
    description: "Requests that had to wait for a token, also for one that was under way already"
  },
  refreshes: {
    name: "mcp_oauth_token_refreshes_total",
    description: "Token acquisitions that replaced a token that was kept"
  },
  invalidations: {
    name: "mcp_oauth_token_invalidations_total",
    description: "Tokens forgotten on request"
  },
  expirations: {
    name: "mcp_oauth_token_expirations_total",
    description: "Tokens that reached the end of their life"
  },
  revocations: {
    name: "mcp_oauth_token_revocations_total",
    description: "Tokens revoked at the authorization server (RFC 7009)"
  }
} as const

/** How long acquisitions took, failed ones too, with all attempts of the retry. */
export const acquisitionDuration = {
  name: "mcp_oauth_token_acquisition_duration_seconds",
  description: "How long token acquisitions took, with all attempts",
  /** Seconds. A near endpoint answers in milliseconds; three attempts of ten seconds and their pauses take 45. */
  boundaries: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 45]
} as const

export const activeTokens = {
  name: "mcp_oauth_active_tokens",
  description: "Tokens that can be served now"
} as const

/** A Unix time, as Prometheus has them, so that the time left is worked out where it is looked at. */
export const certificateExpiry = {
  name: "mcp_oauth_client_certificate_expiry_timestamp_seconds",
  description: "When the client certificate in use expires, in seconds since the epoch"
} as const

/** Counts events into a registry. The labels are `server` and, for failures, `reason`: nothing else is known. */
export const makeRecorder = (registry: Metric.MetricRegistry) => {
  // A context of its own keeps out the attributes of whichever fiber publishes.
  const context = Context.make(Metric.MetricRegistry, registry)
  // Kept for each server: making a metric costs more than counting with it.
  const servers = new Map<string, (event: OAuthEvent) => void>()
  return (event: OAuthEvent): void => {
    const known = servers.get(event.serverName)
    if (known !== undefined) return known(event)
    const made = makeServerRecorder(event.serverName, context)
    servers.set(event.serverName, made)
    made(event)
  }
}

const makeServerRecorder = (server: string, context: Context.Context<never>) => {
  const counterOf = ({ name, description }: Family, labels?: { readonly reason: string }) =>
    Metric.counter(name, { description, attributes: { server, ...labels }, incremental: true })
  const count = (counter: Metric.Counter<number>, by = 1) => counter.updateUnsafe(by, context)
  const startAtZero = (family: Family) => {
    const counter = counterOf(family)
    count(counter, 0)
    return counter
  }

  const acquisitions = startAtZero(counters.acquisitions)
  const successes = startAtZero(counters.successes)
  const hits = startAtZero(counters.hits)
  const misses = startAtZero(counters.misses)
  const refreshes = startAtZero(counters.refreshes)
  const invalidations = startAtZero(counters.invalidations)
  const expirations = startAtZero(counters.expirations)
  const revocations = startAtZero(counters.revocations)
  const duration = Metric.histogram(acquisitionDuration.name, {
    ...acquisitionDuration,
    attributes: { server }
  })
  const measure = (acquisition: { readonly duration: Duration.Duration }) =>
    duration.updateUnsafe(Duration.toSeconds(acquisition.duration), context)

  return Match.typeTags<OAuthEvent, void>()({
    CacheHit: () => count(hits),
    CacheMiss: () => count(misses),
    TokenAcquired: (event) => {
      count(acquisitions)
      count(successes)
      if (event.refresh) count(refreshes)
      measure(event)
    },
    AcquisitionFailed: (event) => {
      count(acquisitions)
      count(counterOf(counters.failures, { reason: event.reason }))
      measure(event)
    },
    TokenInvalidated: () => count(invalidations),
    TokenExpired: () => count(expirations),
    TokenRevoked: () => count(revocations),
    CertificateInUse: ({ expiresAt }) =>
      Metric.gauge(certificateExpiry.name, {
        description: certificateExpiry.description,
        attributes: { server }
      }).updateUnsafe(expiresAt / 1000, context)
  })
}

interface Family {
  readonly name: string
  readonly description: string
}
