import { OAuthToken } from "@secure-mcp/oauth-core"
import type { GrantedClient, GrantRequest, KeepGrant, OAuthErrorReason } from "@secure-mcp/oauth-core"
import { inSpan } from "@secure-mcp/oauth-core/internal"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import type { FormParameters } from "../client/ClientAuthentication.ts"
import { EndpointClient, type UseAnswer } from "../endpoint/EndpointClient.ts"
import type { GrantTarget } from "../resolution/GrantTarget.ts"
import { requiredNames, type Scope } from "../resolution/Scope.ts"
import { checkCertificateBinding } from "./CertificateBinding.ts"
import { readTokenResponse } from "./TokenResponse.ts"

/**
 * Takes a token that was granted but must not be served, or not yet.
 *
 * @param problem why not; undefined before a check that asks another endpoint
 */
export type Withhold = (
  token: OAuthToken,
  problem: OAuthErrorReason | undefined
) => Effect.Effect<void, never, EndpointClient>

/** What to ask a token endpoint for. */
export interface TokenRequest {
  readonly request: GrantRequest
  readonly target: Pick<GrantTarget, "client" | "tokenEndpoint">
  /** Those of the grant. */
  readonly parameters: FormParameters
  /** What was granted if the answer does not say (RFC 6749 §5.1, §6). */
  readonly scope: Scope
  readonly withhold: Withhold
}

/**
 * Posts a form to the token endpoint, once, with the additional parameters and headers of the configuration. They never
 * replace what the protocol sets.
 */
export const postTokenForm = <A>(
  {
    parameters,
    request,
    target: { client, tokenEndpoint: endpoint }
  }: Pick<TokenRequest, "parameters" | "request" | "target">,
  useAnswer: UseAnswer<A>
) =>
  Effect.flatMap(EndpointClient, ({ post }) => {
    const { additionalParams, customHeaders } = request.config
    return post(
      {
        request,
        endpoint,
        client,
        parameters: { ...Record.map(additionalParams, asText), ...parameters },
        headers: customHeaders
      },
      useAnswer
    )
  })

/**
 * Sends one request to the token endpoint (RFC 6749 §3.2).
 *
 * Fails for an access token that cannot be used, lacks a requested scope or is bound to another certificate. What was
 * granted goes to `withhold` before that, and before a check that asks another endpoint: the refresh token in it may
 * have replaced the last one, and nothing may come between.
 */
export const requestToken = Effect.fnUntraced(function* ({
  parameters,
  request,
  scope,
  target,
  withhold
}: TokenRequest) {
  const { client, tokenEndpoint: endpoint } = target
  yield* Effect.logDebug(`Requesting a token from ${endpoint.name}`)
  // Its lifetime is counted from here, because the server may count from before it sent the answer.
  const issuedAt = yield* Clock.currentTimeMillis
  const read = readTokenResponse({ config: request.config, endpoint, issuedAt, scope })
  const post = postTokenForm({ request, target, parameters }, (response, refuse, certificateThumbprint) =>
    Effect.map(read(response, refuse), (answer) => ({ ...answer, certificateThumbprint }))
  )
  const token = yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const { certificateThumbprint, problem, token } = yield* restore(post)
      const { accessToken } = token
      if (problem !== undefined) {
        yield* withhold(token, problem)
        return yield* problem
      }
      yield* restore(
        checkCertificateBinding({
          accessToken,
          request,
          client,
          endpoint,
          certificateThumbprint,
          beforeIntrospection: Effect.uninterruptible(withhold(token, undefined))
        })
      ).pipe(Effect.tapError((mismatch) => withhold(token, mismatch)))
      return token
    })
  )
  yield* Effect.logInfo(`Got a token from ${endpoint.name}`)
  // What the configuration asks for was checked; the rest was asked for because the MCP server names it.
  const missing = requiredNames(scope).filter((name) => token.scope?.includes(name) === false)
  if (missing.length > 0)
    yield* Effect.logWarning(`${endpoint.name} gave a token without the scope ${missing.join(" ")}`)
  return token
}, inSpan("TokenRequest.requestToken"))

/** Keeps the refresh token of what was granted, if it has one. Its access token is marked as not to be served. */
export const keepRefreshToken = (
  request: GrantRequest,
  token: OAuthToken,
  grantedTo: GrantedClient | undefined,
  keep: KeepGrant
): Effect.Effect<void> =>
  token.refreshToken === undefined
    ? Effect.void
    : keep(
        request,
        new OAuthToken({ ...token, reusable: false, ...(grantedTo === undefined ? {} : { grantedTo }) })
      )

const asText = (value: Redacted.Redacted<unknown>): Redacted.Redacted =>
  Redacted.make(String(Redacted.value(value)))
