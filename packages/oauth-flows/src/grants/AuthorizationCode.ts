import { DiscoveryFailed, Misconfigured } from "@secure-mcp/oauth-core"
import type {
  AuthorizationRequest,
  GrantRequest,
  KeepGrant,
  OAuthConfig,
  OAuthErrorReason,
  OAuthToken
} from "@secure-mcp/oauth-core"
import type * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Redacted from "effect/Redacted"
import { acceptAuthorizationResponse, type GenuineResponse } from "./AuthorizationResponse.ts"
import type { FlowServices } from "./Flow.ts"
import { requestLoginToken } from "./LoginToken.ts"
import { type PendingAuthorization, PendingAuthorizations } from "./PendingAuthorizations.ts"
import { makePkce } from "./Pkce.ts"
import { type GrantTarget, GrantTargets } from "../resolution/GrantTarget.ts"
import { retryUnsent } from "../endpoint/Retry.ts"
import { scopeNames, writtenScope } from "../resolution/Scope.ts"
import { StepUps } from "./StepUp.ts"

/** What a person's login needs. */
export type LoginServices = FlowServices | PendingAuthorizations | SecureRandom.SecureRandom | Digest.Digest

/**
 * Begins an authorization by a person (RFC 6749 §4.1.1), which is pending until the response comes. Called again for
 * the same request soon after, it returns the same URL, which is good for one login.
 */
export const authorize = Effect.fn("AuthorizationCode.authorize")(function* (
  request: GrantRequest,
  redirectUri: string
): Effect.fn.Return<AuthorizationRequest, OAuthErrorReason, LoginServices> {
  const pendings = yield* PendingAuthorizations
  const recent = yield* pendings.findRecent(request, redirectUri)
  if (recent !== undefined) return { authorizationUrl: recent.authorizationUrl }
  const { config } = request
  if (config.grantType !== "authorization_code") {
    return yield* new Misconfigured({ problem: "`grant_type` is not authorization_code" })
  }
  const target = yield* (yield* GrantTargets).resolve(request, { redirectUri, fresh: true })
  const endpoint = yield* authorizationEndpoint(target)
  const pkce = yield* makePkce(config, target.metadata)
  const authorization = {
    request,
    target,
    redirectUri,
    pkce,
    state: config.state ?? (yield* newState),
    scope: target.scope
  }
  const authorizationUrl = urlFor(endpoint, authorization)
  yield* pendings.add({ ...authorization, authorizationUrl })
  yield* Effect.logInfo(`Began an authorization at ${endpoint.origin}`)
  return { authorizationUrl }
})

/**
 * Exchanges the code of a response for a token (RFC 6749 §4.1.3), at the server that was asked and with the verifier
 * of that request. A code can be used once, so it is sent again only if no connection could be made.
 *
 * @param keep gets a refresh token whose access token must not be served
 */
export const redeem = Effect.fn("AuthorizationCode.redeem")(function* (
  response: GenuineResponse,
  keep: KeepGrant
): Effect.fn.Return<OAuthToken, OAuthErrorReason, LoginServices> {
  const code = yield* acceptAuthorizationResponse(response)
  const { pkce, redirectUri, request, scope, target } = response.pending
  const token = yield* requestLoginToken({
    request,
    target,
    parameters: {
      grant_type: "authorization_code",
      code,
      redirect_uri: redirectUri,
      code_verifier: pkce?.verifier,
      resource: target.resource
    },
    scope,
    keep
  }).pipe(retryUnsent)
  yield* (yield* StepUps).consented(request)
  return token
})

/** Only http and https: the URL is opened in a browser, which knows schemes that run programs. */
const authorizationEndpoint = ({ authorizationEndpoint: endpoint, metadata }: GrantTarget) => {
  const url = endpoint === undefined ? undefined : (URL.parse(endpoint.url) ?? undefined)
  if (url !== undefined && /^https?:$/.test(url.protocol)) return Effect.succeed(url)
  return metadata === undefined
    ? Effect.fail(new Misconfigured({ problem: "`authorization_url` is not configured" }))
    : Effect.fail(
        new DiscoveryFailed({
          url: metadata.issuer,
          problem: "the authorization server names no `authorization_endpoint` that can be opened"
        })
      )
}

/** 256 bits. */
const newState = Effect.gen(function* () {
  const random = yield* SecureRandom.SecureRandom
  return Redacted.make(Base64Url.encode(yield* random.randomBytes(32)))
})

/**
 * The endpoint with the parameters of RFC 6749 §4.1.1 and those of the configuration; what its own query has is kept
 * (§3.1).
 */
const urlFor = (
  endpoint: URL,
  { pkce, redirectUri, request, target, scope, state }: Omit<PendingAuthorization, "authorizationUrl">
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
