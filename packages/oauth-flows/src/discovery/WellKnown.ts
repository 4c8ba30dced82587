/**
 * The well-known URLs of protected resource metadata (RFC 9728 §3.1), in the order of the MCP specification: with the
 * path of the resource, then without.
 */
export const protectedResourceMetadataUrls = (resource: string): ReadonlyArray<string> => {
  const { origin, pathname, search } = new URL(resource)
  const wellKnown = `${origin}/.well-known/oauth-protected-resource`
  const path = withoutSlash(pathname) + search
  return path === "" ? [wellKnown] : [wellKnown + path, wellKnown]
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

const withoutSlash = (path: string): string => path.replace(/\/$/, "")
