import type { IncomingHttpHeaders, IncomingMessage } from "node:http"

/** Names, in lower case, and values in turn: what Node and undici take as it is. No object is made for each message. */
export type HeaderPairs = Array<string>

/** Headers that concern one connection only (RFC 9110 §7.6.1). */
const hopByHop = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade"
]

/**
 * Request headers that are not forwarded: `Authorization` is the client's API key for the gateway, the gateway itself has
 * checked where a page comes from, and the others are set again for the connection to the server.
 */
const forGateway = ["authorization", "origin", "referer", "host", "content-length", "expect", "via"]

/**
 * Headers of an answer that are not forwarded: those that lead a client to the server itself, past the gateway, and those that
 * a client would take for statements about the gateway's own address.
 */
const aboutServer = [
  "alt-svc",
  "clear-site-data",
  "content-location",
  "link",
  "location",
  "refresh",
  "strict-transport-security"
]

const keptFromClient: ReadonlySet<string> = new Set([...hopByHop, ...aboutServer])

/**
 * Makes what gives the headers of a request to a server: those of the client that are forwarded, and the entry's own, which
 * replace the client's.
 *
 * @param own by names in lower case
 * @param userAgent sent for a client that has none: some firewalls refuse requests without one
 */
export const makeRequestHeaders = (own: Readonly<Record<string, string>>, userAgent: string | undefined) => {
  const ownPairs = Object.entries(own).flat()
  const excluded = new Set([...hopByHop, ...forGateway, ...Object.keys(own)])
  const setsVia = !ownPairs.includes("via")

  /** @param credentials headers made for this request alone, in place of the entry's own of these names */
  return (
    { headers, httpVersion }: Pick<IncomingMessage, "headers" | "httpVersion">,
    credentials: Readonly<HeaderPairs>
  ): HeaderPairs => {
    const pairs: HeaderPairs = []
    const listed = optionsOf(headers)
    for (const name in headers) {
      if (!excluded.has(name) && !name.startsWith("sec-fetch-") && listed?.includes(name) !== true)
        add(pairs, name, headers[name])
    }
    if (userAgent !== undefined && headers["user-agent"] === undefined && !excluded.has("user-agent"))
      pairs.push("user-agent", userAgent)
    // Required of a gateway (RFC 9110 §7.6.3); a pseudonym, because the host's name is nobody's business.
    const via = `${httpVersion} secure-mcp-gateway`
    if (setsVia) pairs.push("via", headers.via === undefined ? via : `${headers.via}, ${via}`)
    for (let index = 0; index < ownPairs.length; index += 2) {
      const name = ownPairs[index] ?? ""
      if (!credentials.includes(name)) add(pairs, name, ownPairs[index + 1])
    }
    pairs.push(...credentials)
    return pairs
  }
}

/**
 * The headers of a server's answer to forward, after the gateway's own.
 *
 * @param own those of the gateway; its `Vary` is kept
 */
export const responseHeaders = (headers: IncomingHttpHeaders, own: Readonly<HeaderPairs>): HeaderPairs => {
  const pairs = [...own]
  const listed = optionsOf(headers)
  const isSandboxed = !isMessage(headers["content-type"])
  for (const name in headers) {
    // Which pages may read an answer is for the gateway to say.
    if (keptFromClient.has(name) || name.startsWith("access-control-") || listed?.includes(name) === true)
      continue
    if (name === "www-authenticate") add(pairs, name, [headers[name] ?? []].flat().map(withoutMetadata))
    else if (name === "vary") addToVary(pairs, String(headers[name]))
    else if (name !== "content-security-policy" || !isSandboxed) add(pairs, name, headers[name])
  }
  // Browsers of old do not say that they open a page: what it runs must not be at the origin of the gateway.
  if (isSandboxed) pairs.push("content-security-policy", "sandbox")
  return pairs
}

const add = (pairs: HeaderPairs, name: string, value: string | ReadonlyArray<string> | undefined): void => {
  if (typeof value === "string") pairs.push(name, value)
  else for (const line of value ?? []) pairs.push(name, line)
}

const addToVary = (pairs: HeaderPairs, value: string): void => {
  const index = pairs.indexOf("vary")
  if (index === -1) pairs.push("vary", value)
  else pairs[index + 1] = `${pairs[index + 1]}, ${value}`
}

/** The pairs without those of a name. */
export const withoutHeader = (pairs: HeaderPairs, name: string): HeaderPairs =>
  pairs.filter((_, index) => pairs[index - (index % 2)] !== name)

/** Whether an answer is of a type that no browser shows as a page with scripts. */
const isMessage = (contentType: string | undefined): boolean =>
  /^\s*(?:application\/json|text\/event-stream)\s*(?:;|$)/i.test(contentType ?? "")

/** A challenge without the address of the server's metadata (RFC 9728 §5.1): the client's tokens are for the gateway. */
const withoutMetadata = (challenges: string): string => {
  const kept = challenges.replaceAll(metadataParameter, (found) => (found.startsWith('"') ? found : ""))
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

/** What `Connection` lists, if that is more than what every connection says. A header that was repeated may be a list of its lines. */
const optionsOf = ({ connection }: IncomingHttpHeaders): ReadonlyArray<string> | undefined =>
  connection === undefined || connection === "keep-alive" || connection === "close"
    ? undefined
    : String(connection)
        .split(",")
        .map((option) => option.trim().toLowerCase())

export const sessionHeader = "mcp-session-id"

/** The session that an answer names, if it is not the one of the request. */
export const newSessionOf = (headers: IncomingHttpHeaders, request: IncomingMessage): string | undefined => {
  // Several are one to whoever reads them.
  const sessionId =
    headers[sessionHeader] === undefined ? undefined : [headers[sessionHeader]].flat().join(", ")
  return sessionId === request.headers[sessionHeader] ? undefined : sessionId
}

/** Whether an answer is a stream of events. */
export const isEventStream = (contentType: string | undefined): boolean =>
  contentType?.startsWith("text/event-stream") === true
