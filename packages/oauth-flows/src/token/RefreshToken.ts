import { AuthorizationRequired, OAuthToken } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthErrorReason, RequestRefused } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { Circuit } from "../endpoint/Circuit.ts"
import type { EndpointClient } from "../endpoint/EndpointClient.ts"
import { belongsTo, type ResolvedClient, ResolvedClients } from "../resolution/ResolvedClient.ts"
import { retryUnsent } from "../endpoint/Retry.ts"
import { requestToken } from "./TokenRequest.ts"

/** A token with what it can be renewed by. */
export interface RefreshableToken extends OAuthToken {
  readonly refreshToken: Redacted.Redacted
}

/** Whether a token can be renewed without anybody's help. */
export const isRefreshable = (token: OAuthToken | undefined): token is RefreshableToken =>
  token?.refreshToken !== undefined && !ended.has(token)

/** Tokens whose refresh token was refused for good: sending it again would only make noise. */
const ended = new WeakSet<OAuthToken>()

/**
 * Renews a token (RFC 6749 §6), with the scope it has: more cannot be had this way. An answer without a refresh
 * token leaves the old one in force.
 *
 * A server may count a refresh token as used as soon as it has read it, and take a second use for theft (RFC 9700
 * §4.14.2). So it is sent once: again only if there was no connection to send it over. Whoever calls this must not do
 * so twice at once; the token cache does not.
 *
 * Fails with `AuthorizationRequired` when the grant has ended or was given to another client or by another server,
 * and leaves it alone for every passing failure.
 */
export const refresh = Effect.fn("RefreshToken.refresh")(function* (
  request: GrantRequest,
  previous: RefreshableToken
): Effect.fn.Return<OAuthToken, OAuthErrorReason, EndpointClient | Circuit | ResolvedClients> {
  const circuit = yield* Circuit
  const resolved = yield* (yield* ResolvedClients).resolve(request, { previous })
  if (!belongsTo(previous, resolved)) return yield* loginNeeded(request)
  const { resource, tokenEndpoint } = resolved
  const token = yield* requestToken(
    request,
    resolved,
    { grant_type: "refresh_token", refresh_token: previous.refreshToken, resource },
    previous.scope
  ).pipe(
    retryUnsent,
    (renewal) => circuit.protect(renewal, tokenEndpoint, request.config),
    Effect.catchTag("RequestRefused", (refusal) => refused(request, resolved, previous, refusal))
  )
  return new OAuthToken({
    ...token,
    refreshToken: token.refreshToken ?? previous.refreshToken,
    ...(previous.grantedTo === undefined ? {} : { grantedTo: previous.grantedTo })
  })
})

/** A person has to begin again. */
export const loginNeeded = ({ challenge }: GrantRequest) =>
  Effect.fail(new AuthorizationRequired(challenge === undefined ? {} : { challenge }))

const refused = Effect.fnUntraced(function* (
  request: GrantRequest,
  { client }: ResolvedClient,
  previous: OAuthToken,
  refusal: RequestRefused
) {
  if (refusal.error === "invalid_client" && client.source === "registered") {
    yield* (yield* ResolvedClients).forget(client)
  } else if (refusal.error !== "invalid_grant") return yield* refusal
  ended.add(previous)
  yield* Effect.logWarning(`${refusal.message}. The grant has ended`)
  return yield* loginNeeded(request)
})
