import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from "node:http"

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
 * checked where a page comes from, and the others are set again for the connection to the server.
 */
const forGateway: ReadonlySet<string> = new Set([
  "authorization",
  "origin",
  "referer",
  "host",
  "content-length",
  "expect"
])

const isForGateway = (name: string): boolean => forGateway.has(name) || name.startsWith("sec-fetch-")

/**
 * Headers of an answer that are not forwarded: those that lead a client to the server itself, past the gateway, and those that
 * a client would take for statements about the gateway's own address.
 */
const aboutServer: ReadonlySet<string> = new Set([
  "alt-svc",
  "clear-site-data",
  "content-location",
  "link",
  "location",
  "refresh",
  "strict-transport-security"
])

/** Which pages may read an answer is for the gateway to say. */
const isAboutServer = (name: string): boolean => aboutServer.has(name) || name.startsWith("access-control-")

/** The headers of a client's request to forward. The entry's own headers replace the client's. */
export const requestHeaders = (
  { headers, httpVersion }: Pick<IncomingMessage, "headers" | "httpVersion">,
  own: Readonly<Record<string, string>>
): IncomingHttpHeaders => ({
  ...endToEnd(headers, isForGateway),
  // Required of a gateway (RFC 9110 §7.6.3); a pseudonym, because the host's name is nobody's business.
  via: [headers.via, `${httpVersion} secure-mcp-gateway`].filter((value) => value !== undefined).join(", "),
  ...own
})

/** Some firewalls refuse requests without a `User-Agent`: the gateway's own is sent for a client that has none. */
export const withUserAgent = (
  userAgent: string | undefined,
  headers: IncomingHttpHeaders
): IncomingHttpHeaders =>
  userAgent === undefined || headers["user-agent"] !== undefined
    ? headers
    : { ...headers, "user-agent": userAgent }

/**
 * The headers of a server's answer to forward.
 *
 * @param own the headers that the gateway has set already; its `Vary` is kept
 */
export const responseHeaders = (
  headers: IncomingHttpHeaders,
  own: OutgoingHttpHeaders
): OutgoingHttpHeaders => {
  const forwarded: OutgoingHttpHeaders = endToEnd(headers, isAboutServer)
  const challenges = forwarded["www-authenticate"]
  if (challenges !== undefined) forwarded["www-authenticate"] = [challenges].flat().map(withoutMetadata)
  const vary = [own["vary"], headers.vary].filter((value) => value !== undefined)
  if (vary.length > 0) forwarded["vary"] = vary.join(", ")
  // Browsers of old do not say that they open a page: what it runs must not be at the origin of the gateway.
  if (!isMessage(headers["content-type"])) forwarded["content-security-policy"] = "sandbox"
  return forwarded
}

/** Whether an answer is of a type that no browser shows as a page with scripts. */
const isMessage = (contentType: string | undefined): boolean =>
  /^\s*(?:application\/json|text\/event-stream)\s*(?:;|$)/i.test(contentType ?? "")

/** A challenge without the address of the server's metadata (RFC 9728 §5.1): the client's tokens are for the gateway. */
const withoutMetadata = (challenges: string | number): string => {
  const kept = String(challenges).replaceAll(metadataParameter, (found) =>
    found.startsWith('"') ? found : ""
  )
  // A pattern that ends at the end of the text would be tried at each of a server's many commas.
  let end = kept.length
  while (end > 0 && " \t,".includes(kept.charAt(end - 1))) end -= 1
  return kept.slice(0, end)
}

/**
 * With the comma that follows it, if another parameter follows; or any quoted text, which is left alone. A text whose
 * quotes do not end is quoted up to its end: it is not looked through again from each of its quotes.
 */
const metadataParameter =
  /\bresource_metadata\s*=\s*(?:"(?:[^"\\]|\\.)*(?:"|\\?$)|[^\s,"]*)(?:\s*,\s*(?=[\w-]+\s*=[^=]))?|"(?:[^"\\]|\\.)*(?:"|\\?$)/gi

const endToEnd = (
  headers: IncomingHttpHeaders,
  isExcluded: (name: string) => boolean
): IncomingHttpHeaders => {
  const listed = optionsOf(headers)
  const forwarded: IncomingHttpHeaders = {}
  for (const name in headers) {
    if (!hopByHop.has(name) && !isExcluded(name) && !listed.includes(name)) forwarded[name] = headers[name]
  }
  return forwarded
}

/** What `Connection` lists. A header that was repeated may be a list of its lines. */
const optionsOf = (headers: IncomingHttpHeaders): ReadonlyArray<string> =>
  headers.connection === undefined
    ? []
    : String(headers.connection)
        .split(",")
        .map((option) => option.trim().toLowerCase())
