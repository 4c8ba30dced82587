import type { OAuthError } from "@secure-mcp/oauth-core"

/** What an error says, and the command of the gateway that helps: the library's own errors name no command. */
export const describeOAuthError = ({ message, reason, serverName }: OAuthError): string =>
  reason._tag === "AuthorizationRequired"
    ? `${message}. Run \`secure-mcp-gateway login ${serverName}\``
    : message
