import type { IncomingHttpHeaders } from "node:http"

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
 * Request headers that are not forwarded: `Authorization` is the client's API key for the gateway, the gateway itself has
 * checked `Origin`, and the others are set again for the connection to the server.
 */
const notForwarded: ReadonlySet<string> = new Set([
  "authorization",
  "origin",
  "host",
  "content-length",
  "expect"
])

/** The headers of a client's request to forward. The entry's own headers replace the client's. */
export const requestHeaders = (
  headers: IncomingHttpHeaders,
  own: Readonly<Record<string, string>>
): IncomingHttpHeaders => ({ ...endToEnd(headers, notForwarded), ...own })

/** Some firewalls refuse requests without a `User-Agent`: the gateway's own is sent for a client that has none. */
export const withUserAgent = (
  userAgent: string | undefined,
  headers: IncomingHttpHeaders
): IncomingHttpHeaders =>
  userAgent === undefined || headers["user-agent"] !== undefined
    ? headers
    : { ...headers, "user-agent": userAgent }

/** The headers of a server's answer to forward. */
export const responseHeaders = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  endToEnd(headers, noNames)

const noNames: ReadonlySet<string> = new Set()

const endToEnd = (headers: IncomingHttpHeaders, excluded: ReadonlySet<string>): IncomingHttpHeaders => {
  const listed = headers.connection?.split(",").map((option) => option.trim().toLowerCase()) ?? []
  const forwarded: IncomingHttpHeaders = {}
  for (const name in headers) {
    if (!hopByHop.has(name) && !excluded.has(name) && !listed.includes(name)) forwarded[name] = headers[name]
  }
  return forwarded
}
