import { isPersonalGrant } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthToken } from "@secure-mcp/oauth-core"
import type { ProtectedResourceMetadata } from "../discovery/ProtectedResourceMetadata.ts"

/**
 * The resource indicator to send (RFC 8707 §2): the configured one, none if that is `false`, else the one that the
 * grant was asked with, else the discovered resource, else the URL of the MCP server where a person gives the grant,
 * because the MCP specification wants it in every such request.
 *
 * @param previous the token whose grant goes on
 */
export const resourceIndicator = (
  { config, resourceUrl }: GrantRequest,
  protectedResource: ProtectedResourceMetadata | undefined,
  previous: OAuthToken | undefined
): string | undefined => {
  if (config.resource !== undefined) return config.resource === false ? undefined : config.resource
  const isPersonal = isPersonalGrant(config.grantType) || config.identityProvider !== undefined
  return (
    previous?.grantedTo?.resource ??
    protectedResource?.resource ??
    (isPersonal ? resourceUrl?.replace(/#.*$/s, "") : undefined)
  )
}
