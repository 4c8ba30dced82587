import { OAuthToken } from "@secure-mcp/oauth-core"
import type { GrantRequest, KeepGrant } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import { grantedClient } from "../client/Client.ts"
import type { FormParameters } from "../client/ClientAuthentication.ts"
import { type GrantTarget, GrantTargets } from "../resolution/GrantTarget.ts"
import { meansUnknownClient, type Refusal } from "../resolution/UnknownClient.ts"
import { type Scope, writtenScope } from "../resolution/Scope.ts"
import { revokeRefused } from "../token/Revocation.ts"
import { keepRefreshToken, requestToken, type Withhold } from "../token/TokenRequest.ts"

/** The token request that completes a person's login. */
export interface LoginTokenRequest {
  readonly request: GrantRequest
  readonly target: GrantTarget
  readonly parameters: FormParameters
  /** What the person was asked for. */
  readonly scope: Scope
  readonly keep: KeepGrant
}

/**
 * Sends the token request of a login, once. A grant with less scope than the configuration asks for is refused and
 * revoked, because a refresh never widens the scope: the person has to log in again. A grant whose access token cannot
 * be used for another reason is kept, to be renewed.
 */
export const requestLoginToken = Effect.fn("LoginToken.request")(function* ({
  keep,
  parameters,
  request,
  scope,
  target
}: LoginTokenRequest) {
  const grantedTo = grantedClient(target.client, { ...target, scope: writtenScope(scope, request.config) })
  const withhold: Withhold = (token, problem) =>
    problem?._tag === "InsufficientScope"
      ? revokeRefused(request, target, token)
      : keepRefreshToken(request, token, grantedTo, keep)
  const token = yield* requestToken({ request, target, parameters, scope, withhold }).pipe(
    Effect.tapErrorTag("RequestRefused", (refusal) => forgetRefused(target, refusal))
  )
  return new OAuthToken({ ...token, grantedTo })
})

/** Whether it is the client that a server refuses, whoever the person is. */
export const isClientRefused = (refusal: Refusal): boolean =>
  meansUnknownClient(refusal) || refusal.error === "unauthorized_client"

/** A registered client that the server no longer knows, or does not allow this grant, is not used for the next login. */
export const forgetRefused = (target: GrantTarget, refusal: Refusal) =>
  isClientRefused(refusal)
    ? Effect.flatMap(GrantTargets, ({ forget }) => forget(target))
    : Effect.succeed(false)
