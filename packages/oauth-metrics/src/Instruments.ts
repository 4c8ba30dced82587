/** What Prometheus calls a metric family. */
export interface Instrument {
  readonly type: "counter" | "histogram" | "gauge"
  /** The name in the Prometheus text. */
  readonly name: string
  readonly help: string
  readonly labels: ReadonlyArray<"server" | "reason">
  /** The upper bounds of the buckets of a histogram. */
  readonly boundaries?: ReadonlyArray<number>
}

const counter = (name: string, help: string, labels: Instrument["labels"] = ["server"]) => ({
  type: "counter" as const,
  name,
  help,
  labels
})

const gauge = (name: string, help: string) => ({
  type: "gauge" as const,
  name,
  help,
  labels: ["server"] as const
})

/** Every metric of this package. The Prometheus text and the JSON dictionary are both made from these. */
export const instruments = {
  acquisitions: counter(
    "mcp_oauth_token_acquisitions_total",
    "Token acquisitions that finished, with success or not"
  ),
  successes: counter("mcp_oauth_token_acquisitions_success_total", "Token acquisitions that gave a token"),
  failures: counter(
    "mcp_oauth_token_acquisitions_failure_total",
    "Token acquisitions that gave no token, by reason",
    ["server", "reason"]
  ),
  hits: counter("mcp_oauth_token_cache_hits_total", "Requests served with a cached token"),
  misses: counter(
    "mcp_oauth_token_cache_misses_total",
    "Requests that had to wait for a token, also for one that was under way already"
  ),
  refreshes: counter("mcp_oauth_token_refreshes_total", "Token acquisitions that replaced a cached token"),
  invalidations: counter("mcp_oauth_token_invalidations_total", "Tokens removed on request"),
  expirations: counter("mcp_oauth_token_expirations_total", "Tokens that expired"),
  revocations: counter(
    "mcp_oauth_token_revocations_total",
    "Tokens revoked at the authorization server (RFC 7009)"
  ),
  refusedToolCalls: counter(
    "mcp_gateway_tool_calls_refused_total",
    "Calls of tools that the configuration does not allow"
  ),
  acquisitionDuration: {
    type: "histogram",
    name: "mcp_oauth_token_acquisition_duration_seconds",
    help: "How long token acquisitions took, failed ones too, with all attempts",
    labels: ["server"],
    /** Seconds. A near endpoint answers in milliseconds; three attempts of ten seconds and their pauses take 45. */
    boundaries: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 45]
  },
  activeTokens: gauge("mcp_oauth_active_tokens", "Tokens that can be served now"),
  /** A Unix time, as is usual in Prometheus, so that the time left is computed where it is looked at. */
  certificateExpiry: gauge(
    "mcp_oauth_client_certificate_expiry_timestamp_seconds",
    "When the client certificate in use expires, in seconds since the epoch"
  )
} as const satisfies Readonly<Record<string, Instrument>>
