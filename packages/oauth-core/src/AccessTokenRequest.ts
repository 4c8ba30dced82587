import type * as Redacted from "effect/Redacted"
import type { OAuthConfig } from "./config/OAuthConfig.ts"
import type { Proxies } from "./proxy/Proxies.ts"

/** The token of a caller, with which one is obtained on the caller's behalf (RFC 8693, RFC 7523). */
export interface CallerToken {
  readonly token: Redacted.Redacted
  /** A hash of it, which stands for it in keys. */
  readonly hash: string
  /** When it ends, in milliseconds since the epoch; undefined if that is not known. What is obtained with it ends then, too. */
  readonly expiresAt?: number | undefined
}

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
  /** What people call that person, for the pages that a person sees; no part of any key. Default: `subject`. */
  readonly subjectName?: string | undefined
  /** Who calls that person so: the issuer of the person's token; no part of any key. Absent for a name of our own. */
  readonly subjectIssuer?: string | undefined
  /** For a configuration with `${caller:token}`: the token of the person the token is for. */
  readonly callerToken?: CallerToken | undefined
  /** For a login by which the person only consents to what others obtain: its token is not kept. Default false. */
  readonly consentOnly?: boolean | undefined
  /** The URL of the MCP server as it is configured: where discovery starts (RFC 9728). */
  readonly resourceUrl?: string | undefined
  /** The `User-Agent` of the requests for it. Default: that of the flows. */
  readonly userAgent?: string | undefined
  /** The proxies between us and the servers it is asked of. Default: none. */
  readonly proxies?: Proxies | undefined
}
