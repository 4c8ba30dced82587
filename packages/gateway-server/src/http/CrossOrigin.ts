import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http"
import { isHeaderName } from "../jsonrpc/MirroredHeaders.ts"
import type { HeaderPairs } from "../upstream/ForwardedHeaders.ts"

/**
 * Lets a page of an allowed origin read the answer, whoever writes it (CORS: Fetch §3.3). The origin itself is named and
 * never `*`, and cookies are not allowed: an API key is what identifies a caller.
 */
export const allowOrigin = (request: IncomingMessage, response: ServerResponse): void => {
  const pairs = originHeaders(request)
  for (let index = 0; index < pairs.length; index += 2)
    response.setHeader(pairs[index] ?? "", pairs[index + 1] ?? "")
}

/** The headers by which `allowOrigin` does that. */
export const originHeaders = ({ headers: { origin } }: IncomingMessage): Readonly<HeaderPairs> =>
  origin === undefined
    ? withoutOrigin
    : [
        ...withoutOrigin,
        "access-control-allow-origin",
        origin,
        "access-control-expose-headers",
        "Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate"
      ]

const withoutOrigin: Readonly<HeaderPairs> = ["vary", "Origin"]

/** Whether a browser asks if a page may send a request (a preflight). It never carries an API key. */
export const isPreflight = ({ headers, method }: IncomingMessage): boolean =>
  method === "OPTIONS" &&
  headers.origin !== undefined &&
  headers["access-control-request-method"] !== undefined

/** What a page of an allowed origin may send: the requests of MCP, and its own headers, because they are forwarded. */
export const preflightHeaders = ({ headers }: IncomingMessage): OutgoingHttpHeaders => ({
  "access-control-allow-methods": "GET, POST, DELETE",
  "access-control-allow-headers": allowedHeaders(headers["access-control-request-headers"]).join(", "),
  // Seconds; Chromium keeps an answer no longer. Each request is checked all the same.
  "access-control-max-age": "7200",
  ...(headers["access-control-request-private-network"] === "true"
    ? { "access-control-allow-private-network": "true" }
    : {}),
  vary: "Origin, Access-Control-Request-Headers"
})

const allowedHeaders = (asked: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> => {
  const names = String(asked ?? "")
    .toLowerCase()
    .split(",")
    .map((name) => name.trim())
  return [...new Set([...mcpHeaders, ...names.filter(isHeaderName)])]
}

const mcpHeaders: ReadonlyArray<string> = [
  "accept",
  "authorization",
  "content-type",
  "last-event-id",
  "mcp-method",
  "mcp-name",
  "mcp-protocol-version",
  "mcp-session-id"
]
