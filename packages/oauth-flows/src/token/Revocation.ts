import type {
  GrantRequest,
  OAuthErrorReason,
  OAuthToken,
  RequestRefused,
  RevocationOutcome
} from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Client } from "../client/Client.ts"
import type { Endpoint } from "../endpoint/Endpoint.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import { retryTransient } from "../endpoint/Retry.ts"
import { type GrantTarget, GrantTargets } from "../resolution/GrantTarget.ts"

/**
 * Tells the authorization server that a token is no longer needed (RFC 7009): the refresh token first, because it
 * would bring new access tokens, then the access token, even if the first was refused. Without a revocation endpoint
 * nothing is sent.
 */
export const revokeToken = Effect.fn("Revocation.revokeToken")(function* (
  request: GrantRequest,
  token: OAuthToken
): Effect.fn.Return<RevocationOutcome, OAuthErrorReason, EndpointClient | GrantTargets> {
  const { accessToken, refreshToken } = token
  const { client, revocationEndpoint } = yield* (yield* GrantTargets).resolve(request, { previous: token })
  if (revocationEndpoint === undefined) return "NoRevocationEndpoint"
  const at = { request, endpoint: revocationEndpoint, client }
  // A grant that was kept for its refresh token alone may have no access token.
  const revokeAccessToken =
    Redacted.value(accessToken) === "" ? Effect.void : retryTransient(revoke(at, accessToken, "access_token"))
  const revokeBoth = (refreshToken: Redacted.Redacted) =>
    Effect.matchEffect(retryTransient(revoke(at, refreshToken, "refresh_token")), {
      onSuccess: () => Effect.catchTag(revokeAccessToken, "RequestRefused", unlessUnsupported),
      onFailure: (reason) => Effect.andThen(Effect.ignore(revokeAccessToken), Effect.fail(reason))
    })
  yield* refreshToken === undefined ? revokeAccessToken : revokeBoth(refreshToken)
  return "Revoked"
})

/**
 * Revokes what a login brought that is refused: its refresh token, else its access token. A person waits, so there is
 * one attempt; that it failed is only logged, because the login has failed anyway.
 */
export const revokeRefused = Effect.fn("Revocation.revokeRefused")(function* (
  request: GrantRequest,
  { client, revocationEndpoint }: Pick<GrantTarget, "client" | "revocationEndpoint">,
  { accessToken, refreshToken }: OAuthToken
) {
  if (revocationEndpoint === undefined) return
  const at = { request, endpoint: revocationEndpoint, client }
  const revocation =
    refreshToken === undefined
      ? revoke(at, accessToken, "access_token")
      : revoke(at, refreshToken, "refresh_token")
  yield* Effect.catch(revocation, ({ message }) =>
    Effect.logWarning(`What the refused login brought is not revoked: ${message}`)
  )
})

/** RFC 7009 §2.2.1: once its grant is revoked, a server may leave the access token to expire. */
const unlessUnsupported = (refusal: RequestRefused) =>
  refusal.error === "unsupported_token_type"
    ? Effect.logWarning(`The grant is revoked; the access token lives until it expires: ${refusal.message}`)
    : Effect.fail(refusal)

interface RevocationPlace {
  readonly request: GrantRequest
  readonly endpoint: Endpoint
  readonly client: Client
}

/** Any 2xx counts, also for a token that the server does not know (RFC 7009 §2.2). Safe to repeat. */
const revoke = Effect.fn("Revocation.revoke")(function* (
  at: RevocationPlace,
  token: Redacted.Redacted,
  hint: "access_token" | "refresh_token"
) {
  const client = yield* EndpointClient
  yield* client.post({ ...at, parameters: { token, token_type_hint: hint } }, () => Effect.void)
  yield* Effect.logInfo(`Revoked the ${hint} at ${at.endpoint.name}`)
})
