import type { GrantRequest, KeepGrant, OAuthErrorReason, OAuthToken } from "@secure-mcp/oauth-core"
import type * as Effect from "effect/Effect"
import type { RefusedExchanges } from "../token/RefusedExchanges.ts"
import type { RefreshServices } from "../token/RefreshToken.ts"
import type { StepUps } from "./StepUp.ts"

/**
 * What a flow may use: `EndpointClient` to send requests, `GrantTargets` to find the authorization server and our client
 * there, `Circuit` to leave an endpoint alone that is down.
 */
export type FlowServices = RefreshServices | StepUps | RefusedExchanges

/**
 * Obtains a token by one grant. The flow decides what may be repeated: an authorization code or a rotating refresh
 * token must not be sent twice.
 *
 * @param previous the token to be replaced, if there is one
 * @param keep gets a refresh token whose access token must not be served
 */
export type Acquire = (
  request: GrantRequest,
  previous: OAuthToken | undefined,
  keep: KeepGrant
) => Effect.Effect<OAuthToken, OAuthErrorReason, FlowServices>
