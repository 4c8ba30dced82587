import type { OAuthConfig } from "./config/OAuthConfig.ts"

/** Whose token is wanted, and for which server. */
export interface AccessTokenRequest {
  readonly serverName: string
  readonly config: OAuthConfig
  /** Default: "default". */
  readonly projectId?: string | undefined
  /** Default: "default". */
  readonly configId?: string | undefined
  /** The person the token is for; absent for the client's own token. */
  readonly subject?: string | undefined
  /** The URL of the MCP server as it is configured: where discovery starts (RFC 9728). */
  readonly resourceUrl?: string | undefined
}
