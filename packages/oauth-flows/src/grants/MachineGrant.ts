import { OAuthToken } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import { Circuit } from "../endpoint/Circuit.ts"
import { grantedClient } from "../client/Client.ts"
import type { EndpointClient } from "../endpoint/EndpointClient.ts"
import type { Flow } from "./Flow.ts"
import type { FormParameters } from "../client/Form.ts"
import { isRefreshable, refresh } from "../token/RefreshToken.ts"
import { type ResolvedClient, ResolvedClients } from "../resolution/ResolvedClient.ts"
import { retryTransient } from "../endpoint/Retry.ts"
import { machineScope } from "./StepUp.ts"
import { requestToken } from "../token/TokenRequest.ts"

/** What a grant asks with, besides the scope. Made anew for each attempt. */
type GrantParameters = (
  request: GrantRequest,
  resolved: ResolvedClient
) => Effect.Effect<FormParameters, OAuthErrorReason, EndpointClient>

/**
 * A grant that needs nobody's consent. Asking again is harmless, so a passing failure is retried, and a scope that the
 * MCP server wants is asked for at once. A refresh token, which few servers give here, goes first.
 */
export const machineGrant = (parametersOf: GrantParameters): Flow =>
  Effect.fn("MachineGrant.acquire")(function* (request, previous) {
    const ask = askAnew(parametersOf, request, previous)
    if (!isRefreshable(previous) || request.challenge?.error === "insufficient_scope") return yield* ask
    return yield* Effect.catchTag(refresh(request, previous), "AuthorizationRequired", () => ask)
  })

const askAnew = Effect.fnUntraced(function* (
  parametersOf: GrantParameters,
  request: GrantRequest,
  previous: OAuthToken | undefined
) {
  const circuit = yield* Circuit
  const resolved = yield* (yield* ResolvedClients).resolve(request)
  const { remember, scope } = machineScope(request, resolved, previous)
  const ask = Effect.flatMap(parametersOf(request, { ...resolved, scope }), (parameters) =>
    requestToken(request, resolved, { ...parameters, scope }, scope)
  )
  const token = remember(yield* circuit.protect(retryTransient(ask), resolved.tokenEndpoint, request.config))
  return token.refreshToken === undefined
    ? token
    : new OAuthToken({ ...token, grantedTo: grantedClient(resolved.client, resolved.issuer) })
})
