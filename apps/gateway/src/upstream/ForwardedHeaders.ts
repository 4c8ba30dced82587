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
 * Headers of a request that are the gateway's own business: `Authorization` is the client's key for the gateway,
 * `Origin` was checked here and means nothing to the server, the rest is set anew for the second connection.
 */
const notForwarded: ReadonlySet<string> = new Set([
  "authorization",
  "origin",
  "host",
  "content-length",
  "expect"
])

/** The headers of a client's request that travel on, with the entry's own in place of the client's. */
export const requestHeaders = (
  headers: IncomingHttpHeaders,
  own: Readonly<Record<string, string>>
): IncomingHttpHeaders => ({ ...endToEnd(headers, notForwarded), ...own })

/** The headers of a server's answer that travel back. */
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
