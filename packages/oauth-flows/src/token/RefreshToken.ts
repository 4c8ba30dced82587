import { AuthorizationRequired, OAuthToken } from "@secure-mcp/oauth-core"
import type { GrantRequest, KeepGrant, OAuthErrorReason, RequestRefused } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { Circuit } from "../endpoint/Circuit.ts"
import type { EndpointClient } from "../endpoint/EndpointClient.ts"
import { retryUnsent } from "../endpoint/Retry.ts"
import { belongsTo, type GrantTarget, GrantTargets } from "../resolution/GrantTarget.ts"
import { writtenScope } from "../resolution/Scope.ts"
import { keepRefreshToken, requestToken } from "./TokenRequest.ts"

/** A token that can be renewed by its refresh token. */
export interface RefreshableToken extends OAuthToken {
  readonly refreshToken: Redacted.Redacted
}

/** Remembers the tokens whose refresh token was refused for good, so that it is not sent again. */
export class RefusedRefreshTokens extends Context.Service<
  RefusedRefreshTokens,
  {
    readonly add: (token: OAuthToken) => Effect.Effect<void>
    /** Whether a token has a refresh token that was not refused. */
    readonly isRefreshable: (token: OAuthToken | undefined) => token is RefreshableToken
  }
>()("@secure-mcp/oauth-flows/RefusedRefreshTokens") {
  static readonly layer: Layer.Layer<RefusedRefreshTokens> = Layer.sync(RefusedRefreshTokens, () => {
    const refused = new WeakSet<OAuthToken>()
    return {
      add: (token) => Effect.sync(() => refused.add(token)),
      isRefreshable: (token): token is RefreshableToken =>
        token?.refreshToken !== undefined && !refused.has(token)
    }
  })
}

/** What a refresh needs. */
export type RefreshServices = EndpointClient | Circuit | GrantTargets | RefusedRefreshTokens

/**
 * Renews a token (RFC 6749 §6) with the scope it has; a refresh never widens it. If the answer has no refresh token,
 * the old one stays valid.
 *
 * A server may count a refresh token as used as soon as it has read it, and treat a second use as theft (RFC 9700
 * §4.14.2). So it is sent once, and again only if no connection could be made. The caller must not run two renewals of
 * one token at once; the token cache takes care of that.
 *
 * Fails with `AuthorizationRequired` when the grant has ended, or belongs to another client or issuer. Every transient
 * failure leaves the grant as it is.
 *
 * @param keep gets a new refresh token whose access token must not be served
 */
export const refresh = Effect.fn("RefreshToken.refresh")(function* (
  request: GrantRequest,
  previous: RefreshableToken,
  keep: KeepGrant
): Effect.fn.Return<OAuthToken, OAuthErrorReason, RefreshServices> {
  const circuit = yield* Circuit
  const target = yield* (yield* GrantTargets).resolve(request, { previous })
  if (!belongsTo(previous, target)) return yield* loginNeeded(request)
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
    withhold: (token) => keepRefreshToken(request, withScopeOf(previous, token), previous.grantedTo, keep)
  }).pipe(
    retryUnsent,
    (renewal) => circuit.protect(renewal, target.tokenEndpoint, request.config),
    Effect.catchTag("RequestRefused", (refusal) => refused(request, target, previous, refusal))
  )
  return new OAuthToken({
    ...token,
    refreshToken: token.refreshToken ?? previous.refreshToken,
    ...(previous.grantedTo === undefined ? {} : { grantedTo: previous.grantedTo }),
    ...(previous.stepUpScope === undefined ? {} : { stepUpScope: previous.stepUpScope })
  })
})

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
  { client }: GrantTarget,
  previous: OAuthToken,
  refusal: RequestRefused
) {
  if (refusal.error === "invalid_client" && client.source === "registered") {
    yield* (yield* GrantTargets).forget(client)
  } else if (refusal.error !== "invalid_grant") return yield* refusal
  yield* (yield* RefusedRefreshTokens).add(previous)
  yield* Effect.logWarning(`${refusal.message}. The grant has ended`)
  return yield* loginNeeded(request)
})
