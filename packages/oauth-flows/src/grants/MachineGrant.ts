import { asksForMoreScope, OAuthToken } from "@secure-mcp/oauth-core"
import type { GrantRequest, KeepGrant, OAuthErrorReason } from "@secure-mcp/oauth-core"
import { inSpan } from "@secure-mcp/oauth-core/internal"
import * as Effect from "effect/Effect"
import { grantedClient } from "../client/Client.ts"
import type { FormParameters } from "../client/ClientAuthentication.ts"
import { Circuit } from "../endpoint/Circuit.ts"
import { retryTransient } from "../endpoint/Retry.ts"
import { type GrantTarget, GrantTargets } from "../resolution/GrantTarget.ts"
import { refresh } from "../token/RefreshToken.ts"
import { RefusedExchanges } from "../token/RefusedExchanges.ts"
import { RefusedRefreshTokens } from "../token/RefusedRefreshTokens.ts"
import { keepRefreshToken, requestToken, type Withhold } from "../token/TokenRequest.ts"
import type { Acquire, FlowServices } from "./Acquire.ts"
import { checkDemandedScope, writtenScope } from "../resolution/Scope.ts"
import { machineScope, StepUps } from "./StepUp.ts"

/** The parameters of a grant, besides the scope. Computed for each attempt. */
type GrantParameters = (
  request: GrantRequest,
  target: GrantTarget
) => Effect.Effect<FormParameters, OAuthErrorReason, FlowServices>

/**
 * A grant of the client itself, without a person. It is safe to repeat, so transient failures are retried, and a scope
 * that the MCP server wants is requested at once. A refresh token, which few servers give here, is used first.
 */
export const machineGrant = (parametersOf: GrantParameters): Acquire =>
  Effect.fnUntraced(function* (request, previous, keep) {
    const begin = requestNew(parametersOf, request, previous, keep)
    const { isRefreshable } = yield* RefusedRefreshTokens
    if (!isRefreshable(previous) || asksForMoreScope(request.challenge)) return yield* begin
    return yield* refresh(request, previous, keep).pipe(
      Effect.catchTags({
        AuthorizationRequired: () => begin,
        // Nobody has to log in for a new grant; only the client itself could be at fault there, too.
        RequestRefused: (refusal) => (refusal.error === "invalid_client" ? Effect.fail(refusal) : begin)
      })
    )
  }, inSpan("MachineGrant.acquire"))

const requestNew = Effect.fnUntraced(function* (
  parametersOf: GrantParameters,
  request: GrantRequest,
  previous: OAuthToken | undefined,
  keep: KeepGrant
) {
  const circuit = yield* Circuit
  const exchanges = yield* RefusedExchanges
  const refused = yield* exchanges.find(request)
  if (refused !== undefined) return yield* refused
  const target = yield* (yield* GrantTargets).resolve(request, { fresh: request.tokenRefused })
  const { remember, scope } = machineScope(request, target, previous)
  yield* checkDemandedScope(request, scope)
  if (asksForMoreScope(request.challenge)) yield* (yield* StepUps).requested(request, scope)
  const written = writtenScope(scope, request.config)
  const grantedTo = grantedClient(target.client, { ...target, scope: written })
  // A refresh never widens the scope, and a new request may: too little of it is no grant to keep.
  const withhold: Withhold = (token, problem) =>
    problem?._tag === "InsufficientScope"
      ? Effect.void
      : keepRefreshToken(request, remember(token), grantedTo, keep)
  const attempt = Effect.flatMap(parametersOf(request, { ...target, scope }), (parameters) =>
    requestToken({ request, target, parameters: { ...parameters, scope: written }, scope, withhold })
  )
  const asked = circuit
    .protect(retryTransient(attempt), target.tokenEndpoint, request)
    .pipe(
      Effect.tapError((reason) =>
        reason._tag === "RequestRefused" ? exchanges.remember(request, reason) : Effect.void
      )
    )
  const token = remember(yield* asked)
  return token.refreshToken === undefined ? token : new OAuthToken({ ...token, grantedTo })
})
