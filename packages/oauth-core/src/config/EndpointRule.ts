import type { OAuthConfigFields } from "./OAuthConfigFields.ts"

/**
 * The rule for every URL that receives a request with credentials or a token: absolute http(s) without user name or
 * fragment, and https unless the configuration allows http (RFC 6749 §3.1, RFC 6750 §5.3).
 *
 * @returns what is wrong with it, or undefined
 */
export const endpointProblem = (
  url: string,
  config: Pick<OAuthConfigFields, "enforceHttps" | "version"> & Partial<Pick<OAuthConfigFields, "useMtls">>
): string | undefined => {
  const parsed = URL.parse(url)
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) return "must be an absolute http(s) URL"
  if (parsed.username !== "" || parsed.password !== "") return "must not contain a user name or password"
  if (url.includes("#")) return "must not contain a fragment (RFC 6749 §3.1)"
  if (parsed.protocol === "https:") return undefined
  if (config.useMtls === true) return "must be https: `use_mtls` has no certificate to present over http"
  if (config.enforceHttps) {
    return isLoopbackHost(parsed.hostname)
      ? "must be https; for a server on this machine set `enforce_https` to false"
      : "must be https (`enforce_https`)"
  }
  if (config.version === "2.1" && !isLoopbackHost(parsed.hostname)) {
    return "must be https: version 2.1 allows http for loopback hosts only"
  }
  return undefined
}

/** Whether a host name of a URL is this machine only: `localhost`, `*.localhost`, 127.0.0.0/8 or `[::1]` (RFC 8252 §8.3, RFC 6761 §6.3). */
export const isLoopbackHost = (hostname: string): boolean =>
  hostname === "localhost" ||
  hostname.endsWith(".localhost") ||
  hostname === "[::1]" ||
  hostname === "::1" ||
  /^127(?:\.\d{1,3}){3}$/.test(hostname)
