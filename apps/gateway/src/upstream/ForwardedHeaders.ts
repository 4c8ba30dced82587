import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http"

/** Headers that concern one connection only (RFC 9110 §7.6.1). */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade"
])

/**
 * Whether a request header is not forwarded: `Authorization` is the client's API key for the gateway, the gateway itself has
 * checked where a page comes from, and the others are set again for the connection to the server.
 */
const isForGateway = (name: string): boolean => forGateway.has(name) || name.startsWith("sec-fetch-")

const forGateway: ReadonlySet<string> = new Set([
  "authorization",
  "origin",
  "referer",
  "host",
  "content-length",
  "expect"
])

/** The headers of a client's request to forward. The entry's own headers replace the client's. */
export const requestHeaders = (
  headers: IncomingHttpHeaders,
  own: Readonly<Record<string, string>>
): IncomingHttpHeaders => ({ ...endToEnd(headers, isForGateway), ...own })

/** Some firewalls refuse requests without a `User-Agent`: the gateway's own is sent for a client that has none. */
export const withUserAgent = (
  userAgent: string | undefined,
  headers: IncomingHttpHeaders
): IncomingHttpHeaders =>
  userAgent === undefined || headers["user-agent"] !== undefined
    ? headers
    : { ...headers, "user-agent": userAgent }

/**
 * The headers of a server's answer to forward. Which pages may read it is said by the gateway.
 *
 * @param own the headers that the gateway has set already; its `Vary` is kept
 */
export const responseHeaders = (
  headers: IncomingHttpHeaders,
  own: OutgoingHttpHeaders
): OutgoingHttpHeaders => {
  const forwarded = endToEnd(headers, isAboutPages)
  const vary = [own["vary"], headers.vary].filter((value) => value !== undefined)
  return vary.length === 0 ? forwarded : { ...forwarded, vary: vary.join(", ") }
}

const isAboutPages = (name: string): boolean => name.startsWith("access-control-")

const endToEnd = (
  headers: IncomingHttpHeaders,
  isExcluded: (name: string) => boolean
): IncomingHttpHeaders => {
  const listed = headers.connection?.split(",").map((option) => option.trim().toLowerCase()) ?? []
  const forwarded: IncomingHttpHeaders = {}
  for (const name in headers) {
    if (!hopByHop.has(name) && !isExcluded(name) && !listed.includes(name)) forwarded[name] = headers[name]
  }
  return forwarded
}
