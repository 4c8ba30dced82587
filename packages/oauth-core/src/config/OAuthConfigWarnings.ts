import { problem, type ConfigProblem } from "./ConfigProblem.ts"
import type { OAuthConfig } from "./OAuthConfig.ts"

/** What a valid configuration gives up: each key that takes a protection away, and which. Paths as in problems. */
export const oauthConfigWarnings = ({
  issuerMismatch,
  resource
}: OAuthConfig): ReadonlyArray<ConfigProblem> => [
  ...(resource === false
    ? [
        problem(
          "resource",
          "the audience of the token is not bound to this MCP server (RFC 8707): whoever gets the token may use it elsewhere"
        )
      ]
    : []),
  ...(issuerMismatch === "allow"
    ? [
        problem(
          "issuer_mismatch",
          "metadata that calls the authorization server by another issuer is used (RFC 8414 §3.3)"
        )
      ]
    : [])
]
