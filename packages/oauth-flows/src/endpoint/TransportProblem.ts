import { ConnectionFailed, describeConnectionFailure, type OAuthConfig } from "@secure-mcp/oauth-core"
import type { HttpClientError } from "effect/http/HttpClientError"

/** There was no connection, or it broke. */
export const connectionFailed = (
  endpoint: string,
  error: HttpClientError,
  { useMtls }: Pick<OAuthConfig, "useMtls">
): ConnectionFailed =>
  new ConnectionFailed({
    endpoint,
    ...describeConnectionFailure(error, { https: error.request.url.startsWith("https:"), useMtls })
  })
