import type { GrantRequest, OAuthErrorReason, OAuthToken } from "@secure-mcp/oauth-core"
import type * as Effect from "effect/Effect"
import type { Circuit } from "../endpoint/Circuit.ts"
import type { EndpointClient } from "../endpoint/EndpointClient.ts"
import type { ResolvedClients } from "../resolution/ResolvedClient.ts"
import type { StepUps } from "./StepUp.ts"

/** What a flow may use. */
export type FlowServices = EndpointClient | Circuit | ResolvedClients | StepUps

/**
 * Obtains a token by one grant. The flow decides what may be repeated: an authorization code or a rotating refresh
 * token must not be sent twice.
 */
export type Flow = (
  request: GrantRequest,
  previous: OAuthToken | undefined
) => Effect.Effect<OAuthToken, OAuthErrorReason, FlowServices>
