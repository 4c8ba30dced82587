import { AuthorizationRequired, OAuthToken } from "@secure-mcp/oauth-core"
import type { GrantRequest, KeepGrant, OAuthErrorReason, RequestRefused } from "@secure-mcp/oauth-core"
import { inSpan } from "@secure-mcp/oauth-core/internal"
import * as Effect from "effect/Effect"
import { grantedClient } from "../client/Client.ts"
import { Circuit } from "../endpoint/Circuit.ts"
import type { EndpointClient } from "../endpoint/EndpointClient.ts"
import { retryUnused } from "../endpoint/Retry.ts"
import { belongsTo, type GrantTarget, GrantTargets } from "../resolution/GrantTarget.ts"
import { writtenScope } from "../resolution/Scope.ts"
import { meansUnknownClient } from "../resolution/UnknownClient.ts"
import { meansGrantEnded } from "./RefreshRefusal.ts"
import { type RefreshableToken, RefusedRefreshTokens } from "./RefusedRefreshTokens.ts"
import { keepRefreshToken, requestToken } from "./TokenRequest.ts"

/** What a refresh needs. */
export type RefreshServices = EndpointClient | Circuit | GrantTargets | RefusedRefreshTokens

/**
 * Renews a token (RFC 6749 §6) with the scope it has; a refresh never widens it. If the answer has no refresh token,
 * the old one stays valid.
 *
 * A server may count a refresh token as used as soon as it has read it, and treat a second use as theft (RFC 9700
 * §4.14.2). So it is sent once, and again only if no connection could be made or the server was too busy for it
 * (429, 503). The caller must not run two renewals of
 * one token at once; the token cache takes care of that.
 *
 * Fails with `AuthorizationRequired` when the grant has ended, or belongs to another client or issuer. Every transient
 * failure leaves the grant as it is, and so does an answer that says nothing about it. For such an answer every caller
 * gets the same error for a while, and the server is not asked again. Steps `send` and `answer` of
 * docs/models/renewal.pml.
 *
 * @param keep gets a new refresh token whose access token must not be served
 */
export const refresh = Effect.fnUntraced(function* (
  request: GrantRequest,
  previous: RefreshableToken,
  keep: KeepGrant
): Effect.fn.Return<OAuthToken, OAuthErrorReason, RefreshServices> {
  const circuit = yield* Circuit
  const refusals = yield* RefusedRefreshTokens
  const paused = yield* refusals.pausedBy(previous)
  if (paused !== undefined) return yield* paused
  const target = yield* (yield* GrantTargets).resolve(request, { previous, fresh: request.tokenRefused })
  if (!belongsTo(previous, target)) return yield* loginNeeded(request)
  const grantedTo = grantedClient(target.client, { ...target, scope: previous.grantedTo?.scope })
  const token = yield* requestToken({
    request,
    target,
    parameters: {
      grant_type: "refresh_token",
      refresh_token: previous.refreshToken,
      resource: target.resource,
      scope: request.config.scopeOnRefresh
        ? (previous.grantedTo?.scope ?? writtenScope(previous.scope, request.config))
        : undefined
    },
    scope: previous.scope,
    withhold: (token) => keepRefreshToken(request, withScopeOf(previous, token), grantedTo, keep)
  }).pipe(
    retryUnused,
    (renewal) => circuit.protect(renewal, target.tokenEndpoint, request),
    Effect.catchTag("RequestRefused", (refusal) => refused(request, target, previous, refusal)),
    Effect.tapErrorTag(["RequestRefused", "RedirectRefused", "InvalidResponse"], (reason) =>
      refusals.pause(previous, reason)
    )
  )
  return new OAuthToken({
    ...token,
    refreshToken: token.refreshToken ?? previous.refreshToken,
    grantedTo,
    ...(previous.stepUpScope === undefined ? {} : { stepUpScope: previous.stepUpScope })
  })
}, inSpan("RefreshToken.refresh"))

/** A new refresh token has the scope of the one it replaces, whatever the access token got (RFC 6749 §6). */
const withScopeOf = ({ scope, stepUpScope }: OAuthToken, token: OAuthToken): OAuthToken =>
  new OAuthToken({
    ...token,
    ...(scope === undefined ? {} : { scope }),
    ...(stepUpScope === undefined ? {} : { stepUpScope })
  })

/** Fails because a person has to log in, with what the MCP server asked for. */
export const loginNeeded = ({ challenge }: GrantRequest) =>
  Effect.fail(new AuthorizationRequired(challenge === undefined ? {} : { challenge }))

const refused = Effect.fnUntraced(function* (
  request: GrantRequest,
  target: GrantTarget,
  previous: OAuthToken,
  refusal: RequestRefused
) {
  const isUnknownClient = target.client.source === "registered" && meansUnknownClient(refusal)
  if (isUnknownClient) yield* (yield* GrantTargets).forget(target)
  else if (!meansGrantEnded(refusal)) return yield* refusal
  yield* (yield* RefusedRefreshTokens).end(previous)
  yield* Effect.logWarning(`${refusal.message}. The grant has ended`)
  return yield* loginNeeded(request)
})
