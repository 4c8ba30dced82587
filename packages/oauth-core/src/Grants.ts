import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { AccessTokenRequest } from "./AccessTokenRequest.ts"
import type { Challenge } from "./Challenge.ts"
import type { OAuthError } from "./OAuthError.ts"
import type { OAuthToken } from "./OAuthToken.ts"

/** One piece of work at an authorization server. */
export interface GrantRequest extends AccessTokenRequest {
  /** One per acquisition; sent with every request of it and named in its errors. */
  readonly correlationId: string
  /** What the MCP server said when it refused, if that is why there is work. */
  readonly challenge?: Challenge | undefined
}

/** Port: routes a configuration to the flow for its grant type. */
export class Grants extends Context.Service<
  Grants,
  {
    /**
     * Obtains a token.
     *
     * @param previous the token to be replaced, for flows that can refresh (RFC 6749 §6)
     */
    readonly acquire: (
      request: GrantRequest,
      previous: OAuthToken | undefined
    ) => Effect.Effect<OAuthToken, OAuthError>
    /** Tells the authorization server that a token is no longer needed (RFC 7009); does nothing if it has no place for that. */
    readonly revoke: (request: GrantRequest, token: OAuthToken) => Effect.Effect<void, OAuthError>
  }
>()("@secure-mcp/oauth-core/Grants") {}
