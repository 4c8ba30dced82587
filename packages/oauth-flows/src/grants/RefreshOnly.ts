import { asksForMoreScope, type GrantType } from "@secure-mcp/oauth-core"
import { inSpan } from "@secure-mcp/oauth-core/internal"
import * as Effect from "effect/Effect"
import { loginNeeded, refresh } from "../token/RefreshToken.ts"
import { RefusedRefreshTokens } from "../token/RefusedRefreshTokens.ts"
import type { Acquire } from "./Acquire.ts"
import type { Flow } from "./Flow.ts"
import { StepUps } from "./StepUp.ts"

/**
 * The flow of a grant that a person gives: refreshes the token as long as the grant lasts. It cannot begin a grant,
 * because that takes a person, and fails with `AuthorizationRequired` instead.
 */
export const refreshOnly = (grantType: GrantType): Flow => ({
  grantType,
  keys: {},
  rules: () => [],
  acquire
})

const acquire: Acquire = Effect.fnUntraced(function* (request, previous, keep) {
  const { isRefreshable } = yield* RefusedRefreshTokens
  if (!asksForMoreScope(request.challenge)) {
    return yield* isRefreshable(previous) ? refresh(request, previous, keep) : loginNeeded(request)
  }
  const stepUps = yield* StepUps
  const stepUp = stepUps.require(request, previous)
  // A refresh token brings no more scope than was granted (RFC 6749 §6), but it may bring what was granted.
  return yield* isRefreshable(previous) && (yield* stepUps.refreshesFirst(request, previous))
    ? Effect.catchTag(
        refresh({ ...request, challenge: undefined }, previous, keep),
        "AuthorizationRequired",
        () => stepUp
      )
    : stepUp
}, inSpan("RefreshOnly.acquire"))
