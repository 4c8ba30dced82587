import { isPersonalGrant } from "@secure-mcp/oauth-core"
import type { GrantRequest } from "@secure-mcp/oauth-core"
import type { ProtectedResourceMetadata } from "../discovery/ProtectedResourceMetadata.ts"

/**
 * The resource indicator to send (RFC 8707 §2): the configured one, else the discovered resource, else the URL of the
 * MCP server where a person gives the grant, because the MCP specification wants it in every such request.
 */
export const resourceIndicator = (
  { config, resourceUrl }: GrantRequest,
  protectedResource: ProtectedResourceMetadata | undefined
): string | undefined => {
  const isPersonal = isPersonalGrant(config.grantType) || config.identityProvider !== undefined
  return (
    config.resource ??
    protectedResource?.resource ??
    (isPersonal ? resourceUrl?.replace(/#.*$/s, "") : undefined)
  )
}
