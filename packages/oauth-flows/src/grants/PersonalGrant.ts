import { asksForMoreScope } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import type { Flow } from "./Flow.ts"
import { isRefreshable, loginNeeded, refresh } from "../token/RefreshToken.ts"
import { StepUps } from "./StepUp.ts"

/**
 * A token of a grant that a person gives: renewed as long as the grant lasts. Never begins one, because that takes
 * a person: fails with `AuthorizationRequired` instead.
 */
export const personalGrant: Flow = Effect.fn("PersonalGrant.acquire")(function* (request, previous) {
  // A refresh token brings no more scope than was granted (RFC 6749 §6).
  if (asksForMoreScope(request.challenge)) return yield* (yield* StepUps).require(request, previous)
  return yield* isRefreshable(previous) ? refresh(request, previous) : loginNeeded(request)
})
