import type { OAuthError } from "@secure-mcp/oauth-core"

/** The message of an error, with the command that helps if a person has to log in. */
export const messageWithAdvice = (
  error: OAuthError | { readonly _tag: string; readonly message: string }
): string =>
  "serverName" in error && error.reason._tag === "AuthorizationRequired"
    ? `${error.message}. Run \`secure-mcp-gateway login ${error.serverName}\``
    : error.message
