import type {
  GrantRequest,
  OAuthErrorReason,
  OAuthToken,
  RequestRefused,
  RevocationOutcome
} from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { Client } from "../client/Client.ts"
import type { Endpoint } from "../endpoint/Endpoint.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import { ResolvedClients } from "../resolution/ResolvedClient.ts"
import { retryTransient } from "../endpoint/Retry.ts"

/**
 * Tells the authorization server that a token is no longer needed (RFC 7009): the refresh token first, because it
 * would bring new access tokens, then the access token, even if the first was not taken. Without a
 * revocation endpoint nothing is sent.
 */
export const revokeToken = Effect.fn("Revocation.revokeToken")(function* (
  request: GrantRequest,
  token: OAuthToken
): Effect.fn.Return<RevocationOutcome, OAuthErrorReason, EndpointClient | ResolvedClients> {
  const { accessToken, refreshToken } = token
  const { client, revocationEndpoint } = yield* (yield* ResolvedClients).resolve(request, { previous: token })
  if (revocationEndpoint === undefined) return "NoRevocationEndpoint"
  const at = { request, endpoint: revocationEndpoint, client }
  const revokeAccessToken = revoke(at, accessToken, "access_token")
  if (refreshToken === undefined) yield* revokeAccessToken
  else
    yield* Effect.matchEffect(revoke(at, refreshToken, "refresh_token"), {
      onSuccess: () => Effect.catchTag(revokeAccessToken, "RequestRefused", unlessUnsupported),
      onFailure: (reason) => Effect.andThen(Effect.ignore(revokeAccessToken), Effect.fail(reason))
    })
  return "Revoked"
})

/** RFC 7009 §2.2.1: with its grant gone, an access token that cannot be revoked is as good as it gets. */
const unlessUnsupported = (refusal: RequestRefused) =>
  refusal.error === "unsupported_token_type"
    ? Effect.logWarning(`The grant is revoked; the access token lives until it expires: ${refusal.message}`)
    : Effect.fail(refusal)

interface RevocationPlace {
  readonly request: GrantRequest
  readonly endpoint: Endpoint
  readonly client: Client
}

/** Any 2xx counts, also for a token the server does not know (RFC 7009 §2.2). Asking twice is harmless. */
const revoke = Effect.fn("Revocation.revoke")(function* (
  at: RevocationPlace,
  token: Redacted.Redacted,
  hint: "access_token" | "refresh_token"
) {
  const client = yield* EndpointClient
  yield* client
    .post({ ...at, parameters: { token, token_type_hint: hint } }, () => Effect.void)
    .pipe(retryTransient)
  yield* Effect.logInfo(`Revoked the ${hint} at ${at.endpoint.name}`)
})
