import type { OAuthConfig } from "./config/OAuthConfig.ts"
import type { Proxies } from "./proxy/Proxies.ts"

/** The token to get: its MCP server and its owner. */
export interface AccessTokenRequest {
  /** The name of the MCP server in messages, metrics and the token's key. */
  readonly serverName: string
  /** How its tokens are obtained. */
  readonly config: OAuthConfig
  /** Separates the tokens of projects; default "default". */
  readonly projectId?: string | undefined
  /** Separates the tokens of configurations in a project; default "default". */
  readonly configId?: string | undefined
  /** The person the token is for; absent for the client's own token. */
  readonly subject?: string | undefined
  /** The URL of the MCP server as it is configured: where discovery starts (RFC 9728). */
  readonly resourceUrl?: string | undefined
  /** The `User-Agent` of the requests for it. Default: that of the flows. */
  readonly userAgent?: string | undefined
  /** The proxies between us and the servers it is asked of. Default: none. */
  readonly proxies?: Proxies | undefined
}
