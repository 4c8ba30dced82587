/** An endpoint of the authorization server. */
export interface Endpoint {
  readonly url: string
  /** For errors and logs, as in "the token endpoint https://host/path". Never holds the query. */
  readonly name: string
  /** Whether a server named it, rather than the configuration: then its address is looked at before each request. */
  readonly discovered: boolean
}

/** @param kind as in "the token endpoint" */
export const configuredEndpoint = (kind: string, url: string): Endpoint => ({
  url,
  name: nameOf(`the ${kind} endpoint`, url),
  discovered: false
})

/** @param kind as in "the token endpoint" */
export const discoveredEndpoint = (kind: string, url: string): Endpoint => ({
  url,
  name: nameOf(`the ${kind} endpoint`, url),
  discovered: true
})

/** A document that says where to go on. */
export const metadataDocument = (kind: string, url: string): Endpoint => ({
  url,
  name: nameOf(`the ${kind} metadata`, url),
  discovered: true
})

const nameOf = (what: string, url: string): string => {
  const parsed = URL.parse(url)
  return parsed === null ? what : `${what} ${parsed.origin}${parsed.pathname}`
}
