import { DiscoveryFailed, Misconfigured } from "@secure-mcp/oauth-core"
import type {
  AuthorizationRequest,
  GrantRequest,
  KeepGrant,
  OAuthErrorReason,
  OAuthToken
} from "@secure-mcp/oauth-core"
import type * as Digest from "effect/crypto/Digest"
import type * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import { acceptAuthorizationResponse, type GenuineResponse } from "./AuthorizationResponse.ts"
import { AuthorizationPages } from "./AuthorizationPages.ts"
import { authorizationUrlOf, newState } from "./AuthorizationUrl.ts"
import type { FlowServices } from "../grants/Acquire.ts"
import { forgetRefused, requestLoginToken } from "../grants/LoginToken.ts"
import { PendingAuthorizations } from "./PendingAuthorizations.ts"
import { shareAuthorization } from "./SharedAuthorizations.ts"
import { makePkce } from "./Pkce.ts"
import { type GrantTarget, GrantTargets } from "../resolution/GrantTarget.ts"
import { checkDemandedScope } from "../resolution/Scope.ts"
import { retryUnsent } from "../endpoint/Retry.ts"
import { StepUps } from "../grants/StepUp.ts"
import { RefusedExchanges } from "../token/RefusedExchanges.ts"

/** What a person's login needs. */
export type LoginServices =
  | FlowServices
  | PendingAuthorizations
  | AuthorizationPages
  | SecureRandom.SecureRandom
  | Digest.Digest

/**
 * Begins an authorization by a person (RFC 6749 §4.1.1), which is pending until the response comes. Called again for
 * the same request soon after, it returns the same URL, which is good for one login, unless the server has forgotten
 * the registered client in it.
 */
export const authorize = Effect.fn("AuthorizationCode.authorize")(function* (
  request: GrantRequest,
  redirectUri: string
): Effect.fn.Return<AuthorizationRequest, OAuthErrorReason, LoginServices> {
  const pendings = yield* PendingAuthorizations
  const { isReplaced, resolve } = yield* makeLoginTargets(request, redirectUri)
  const recent = yield* pendings.findRecent(request, redirectUri)
  if (recent !== undefined && !(yield* isReplaced(recent.target))) {
    return { authorizationUrl: recent.authorizationUrl }
  }
  const { config } = request
  if (config.grantType !== "authorization_code") {
    return yield* new Misconfigured({ problem: "`grant_type` is not authorization_code" })
  }
  const target = yield* resolve
  const endpoint = yield* authorizationEndpoint(target)
  yield* checkDemandedScope(request, target.scope)
  const pkce = yield* makePkce(config, target.metadata)
  const authorization = {
    request,
    target,
    redirectUri,
    pkce,
    state: config.state ?? (yield* newState),
    scope: target.scope
  }
  const authorizationUrl = authorizationUrlOf(endpoint, authorization)
  yield* pendings.add({ ...authorization, authorizationUrl })
  yield* shareAuthorization({ ...authorization, authorizationUrl })
  yield* (yield* AuthorizationPages).begun(target)
  yield* Effect.logInfo(`Began an authorization at ${endpoint.origin}`)
  return { authorizationUrl }
})

/** The target of a login that begins now. A registered client that its server has forgotten is replaced. */
export const makeLoginTargets = Effect.fnUntraced(function* (request: GrantRequest, redirectUri: string) {
  const pages = yield* AuthorizationPages
  const { forget, isForgotten, resolve } = yield* GrantTargets
  const isReplaced = Effect.fnUntraced(function* (target: GrantTarget) {
    if (isForgotten(target)) return true
    return (yield* pages.refuses(request, target, redirectUri)) && (yield* forget(target))
  })
  const choose = resolve(request, { redirectUri, fresh: true })
  return {
    isReplaced,
    resolve: Effect.flatMap(choose, (known) =>
      Effect.flatMap(isReplaced(known), (replaced) => (replaced ? choose : Effect.succeed(known)))
    )
  }
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
  const { pkce, redirectUri, request, scope, target } = response.pending
  const code = yield* acceptAuthorizationResponse(response).pipe(
    Effect.tapErrorTag("AuthorizationDenied", (denial) => forgetRefused(target, denial))
  )
  yield* (yield* AuthorizationPages).returned(target)
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
  yield* (yield* RefusedExchanges).consented(request)
  return token
})

/** Only http and https: the URL is opened in a browser, which knows schemes that run programs. */
export const authorizationEndpoint = ({
  authorizationEndpoint: endpoint,
  metadata
}: Pick<GrantTarget, "authorizationEndpoint" | "metadata">): Effect.Effect<
  URL,
  DiscoveryFailed | Misconfigured
> => {
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
