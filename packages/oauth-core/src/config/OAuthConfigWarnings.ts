import { problem, type ConfigProblem } from "../problems/ConfigProblem.ts"
import type { OAuthConfig } from "./OAuthConfig.ts"

/** The protections that a valid configuration switches off: each such key, and what it switches off. Paths as in problems. */
export const oauthConfigWarnings = ({
  issuerMismatch,
  resource
}: OAuthConfig): ReadonlyArray<ConfigProblem> => [
  ...(resource === false
    ? [
        problem(
          "resource",
          "the audience of the token is not bound to this MCP server (RFC 8707): a server that gets the token may use it elsewhere"
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
