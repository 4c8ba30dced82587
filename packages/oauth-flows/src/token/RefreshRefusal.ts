import type { RequestRefused } from "@secure-mcp/oauth-core"

/**
 * Codes that say nothing about the grant: the server has a bad minute, or what we asked for beside the grant is wrong.
 * Another login would not help.
 */
const notAboutTheGrant: ReadonlySet<string> = new Set([
  "temporarily_unavailable",
  "server_error",
  "service_unavailable",
  "internal_error",
  "internal_server_error",
  "timeout",
  "slow_down",
  "rate_limited",
  "rate_limit_exceeded",
  "too_many_requests",
  "invalid_scope",
  "invalid_target",
  "invalid_resource",
  "invalid_client",
  "use_dpop_nonce",
  "invalid_dpop_proof"
])

const speaksOfGrant = /refresh|token|grant|session|expired|revoked/i

/**
 * Whether a refused refresh means that the grant has ended. `invalid_grant` says so (RFC 6749 §5.2); servers have many
 * other words for it, or none. A 403 without an OAuth error may come from a firewall, so there the server must speak
 * of the grant; any other status without a code is no answer of a token endpoint. Where a TLS proxy may have refused
 * the client certificate, nobody has looked at the grant.
 */
export const meansGrantEnded = ({
  clientCertificate,
  description,
  error,
  status
}: RequestRefused): boolean => {
  if (error !== undefined) return !notAboutTheGrant.has(error.toLowerCase())
  if (clientCertificate !== undefined) return false
  return (
    status === 400 ||
    status === 401 ||
    // The server put its error into a success.
    status < 300 ||
    (status === 403 && description !== undefined && speaksOfGrant.test(description))
  )
}
