import type { GrantRequest, OAuthErrorReason, OAuthToken } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { revocationEndpoint, type Endpoint } from "./Endpoint.ts"
import { EndpointClient } from "./EndpointClient.ts"
import { retryTransient } from "./Retry.ts"

/**
 * Tells the authorization server that a token is no longer needed (RFC 7009): the refresh token first, because it
 * would bring new access tokens, then the access token, even if the first was not taken. Without a
 * `revocation_url` nothing happens.
 */
export const revokeToken = (
  request: GrantRequest,
  { accessToken, refreshToken }: OAuthToken
): Effect.Effect<void, OAuthErrorReason, EndpointClient> => {
  const endpoint = revocationEndpoint(request.config)
  if (endpoint === undefined) return Effect.void
  const revokeAccessToken = revoke(request, endpoint, accessToken, "access_token")
  if (refreshToken === undefined) return revokeAccessToken
  return Effect.matchEffect(revoke(request, endpoint, refreshToken, "refresh_token"), {
    onSuccess: () => revokeAccessToken,
    onFailure: (reason) => Effect.andThen(Effect.ignore(revokeAccessToken), Effect.fail(reason))
  })
}

/** Any 2xx counts, also for a token the server does not know (RFC 7009 §2.2). Asking twice is harmless. */
const revoke = Effect.fn("Revocation.revoke")(function* (
  request: GrantRequest,
  endpoint: Endpoint,
  token: Redacted.Redacted,
  hint: "access_token" | "refresh_token"
) {
  const client = yield* EndpointClient
  yield* client
    .post({ request, endpoint, parameters: { token, token_type_hint: hint } }, () => Effect.void)
    .pipe(retryTransient)
  yield* Effect.logInfo(`Revoked the ${hint} at ${endpoint.name}`)
})
