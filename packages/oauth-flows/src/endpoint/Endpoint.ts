/** An endpoint of the authorization server. */
export interface Endpoint {
  readonly url: string
  /** For errors and logs, as in "the token endpoint https://host/path". Never holds the query. */
  readonly name: string
  /** True if a server named it and not the configuration. Then its address is checked before each request. */
  readonly discovered: boolean
}

/**
 * An endpoint that the configuration names.
 *
 * @param kind as in "the token endpoint"
 */
export const configuredEndpoint = (kind: string, url: string): Endpoint => ({
  url,
  name: nameOf(`the ${kind} endpoint`, url),
  discovered: false
})

/**
 * An endpoint that a server named: requests go there only if its address may be used.
 *
 * @param kind as in "the token endpoint"
 */
export const discoveredEndpoint = (kind: string, url: string): Endpoint => ({
  url,
  name: nameOf(`the ${kind} endpoint`, url),
  discovered: true
})

/** A metadata document, of a protected resource or an authorization server. */
export const metadataDocument = (kind: string, url: string): Endpoint => ({
  url,
  name: nameOf(`the ${kind} metadata`, url),
  discovered: true
})

/** A URL for errors and logs. Its query and fragment may hold secrets or personal data. */
export const withoutQuery = (url: string): string => url.replace(/[?#].*$/s, "")

const nameOf = (what: string, url: string): string => {
  const parsed = URL.parse(url)
  return parsed === null ? what : `${what} ${parsed.origin}${parsed.pathname}`
}

/** A URL that a server wrote, fit for errors and logs: without its query, on one line and not too long. */
export const shownUrl = (url: string): string =>
  withoutQuery(url)
    .replaceAll(/[^\x21-\x7E]/g, "")
    .slice(0, 200)
