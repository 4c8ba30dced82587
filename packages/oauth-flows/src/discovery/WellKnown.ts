/**
 * Where the metadata of a protected resource may stand (RFC 9728 §3.1), in the order of the MCP specification: with
 * the path of the resource, then at the root. The path is tried as it is written, then without the query and the last
 * slash, which many servers leave out there.
 */
export const protectedResourceMetadataUrls = (resource: string): ReadonlyArray<string> => {
  const { origin, pathname, search } = new URL(resource)
  const wellKnown = `${origin}/.well-known/oauth-protected-resource`
  const path = pathname === "/" ? "" : pathname
  return distinct([
    wellKnown + path + search,
    wellKnown + path,
    wellKnown + withoutSlash(path) + search,
    wellKnown + withoutSlash(path),
    wellKnown
  ])
}

/** The place of the resource's own metadata if it is a whole origin; undefined for one with a path or a query. */
export const originMetadataUrl = (resource: string): string | undefined => {
  const { origin, pathname, search } = new URL(resource)
  return pathname === "/" && search === "" ? `${origin}/.well-known/oauth-protected-resource` : undefined
}

/**
 * The well-known URLs of authorization server metadata, in the order of the MCP specification: RFC 8414 §3.1,
 * then OpenID Connect with the path inserted, then with the path in front.
 */
export const authorizationServerMetadataUrls = (issuer: string): ReadonlyArray<string> => {
  const { origin, pathname } = new URL(issuer)
  const path = withoutSlash(pathname)
  const inserted = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`
  ]
  return path === "" ? inserted : [...inserted, `${origin}${path}/.well-known/openid-configuration`]
}

/** Where a server of MCP 2025-03-26 has the metadata of its own authorization server: with its path, then at the root. */
export const serverOriginMetadataUrls = (server: string): ReadonlyArray<string> => {
  const { origin, pathname } = new URL(server)
  const wellKnown = `${origin}/.well-known/oauth-authorization-server`
  return distinct([
    wellKnown + withoutSlash(pathname),
    wellKnown,
    `${origin}/.well-known/openid-configuration`
  ])
}

const withoutSlash = (path: string): string => path.replace(/\/$/, "")

const distinct = (urls: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(urls)]
