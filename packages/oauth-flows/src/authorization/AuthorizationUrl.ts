import type { OAuthConfig } from "@secure-mcp/oauth-core"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Redacted from "effect/Redacted"
import { scopeNames, writtenScope } from "../resolution/Scope.ts"
import type { PendingAuthorization } from "./PendingAuthorizations.ts"

/** What stands in an authorization request. */
export type AuthorizationParameters = Omit<PendingAuthorization, "authorizationUrl">

/** A `state` of 256 bits. */
export const newState = Effect.gen(function* () {
  const random = yield* SecureRandom.SecureRandom
  return Redacted.make(Base64Url.encode(yield* random.randomBytes(32)))
})

/**
 * The endpoint with the parameters of RFC 6749 §4.1.1 and those of the configuration; what its own query has is kept
 * (§3.1).
 */
export const authorizationUrlOf = (
  endpoint: URL,
  { pkce, redirectUri, request, target, scope, state }: AuthorizationParameters
): string => {
  const { audience, authorizeParams, organization } = request.config
  const parameters: Record<string, OAuthConfig["authorizeParams"][string] | undefined> = {
    response_type: "code",
    client_id: target.client.clientId,
    redirect_uri: redirectUri,
    scope: writtenScope(scope, request.config),
    state: Redacted.value(state),
    code_challenge: pkce?.challenge,
    code_challenge_method: pkce?.method,
    resource: target.resource,
    audience,
    organization,
    // OpenID Connect Core §11: without it, the request for a refresh token is ignored.
    prompt: scopeNames(scope).includes("offline_access") ? "consent" : undefined,
    ...authorizeParams
  }
  const url = new URL(endpoint)
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null) url.searchParams.set(name, String(value))
  }
  return url.href
}
