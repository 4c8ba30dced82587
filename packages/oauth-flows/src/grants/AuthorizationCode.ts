import { DiscoveryFailed, Misconfigured, OAuthToken } from "@secure-mcp/oauth-core"
import type {
  AuthorizationRequest,
  GrantRequest,
  OAuthConfig,
  OAuthErrorReason
} from "@secure-mcp/oauth-core"
import type * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Redacted from "effect/Redacted"
import { acceptAuthorizationResponse, type GenuineResponse } from "./AuthorizationResponse.ts"
import { grantedClient } from "../client/Client.ts"
import type { FlowServices } from "./Flow.ts"
import { type PendingAuthorization, PendingAuthorizations } from "./PendingAuthorizations.ts"
import { makePkce } from "./Pkce.ts"
import { type ResolvedClient, ResolvedClients } from "../resolution/ResolvedClient.ts"
import { retryUnsent } from "../endpoint/Retry.ts"
import { scopeNames, unionScope } from "../resolution/Scope.ts"
import { StepUps } from "./StepUp.ts"
import { requestToken } from "../token/TokenRequest.ts"

/** What a person's login takes besides requests. */
export type LoginServices = FlowServices | PendingAuthorizations | SecureRandom.SecureRandom | Digest.Digest

/**
 * Begins an authorization by a person (RFC 6749 §4.1.1) and remembers it until the response comes. Begun again for
 * the same request soon after, it is the same one: the same URL, good for one login.
 */
export const authorize = Effect.fn("AuthorizationCode.authorize")(function* (
  request: GrantRequest,
  redirectUri: string
): Effect.fn.Return<AuthorizationRequest, OAuthErrorReason, LoginServices> {
  const pendings = yield* PendingAuthorizations
  const begun = yield* pendings.begun(request, redirectUri)
  if (begun !== undefined) return { authorizationUrl: begun.authorizationUrl }
  const { config } = request
  if (config.grantType !== "authorization_code") {
    return yield* new Misconfigured({ problem: "`grant_type` is not authorization_code" })
  }
  const resolved = yield* (yield* ResolvedClients).resolve(request, { redirectUri })
  const endpoint = yield* authorizationEndpoint(resolved)
  const pkce = yield* makePkce(config, resolved.metadata)
  const asked = {
    request,
    resolved,
    redirectUri,
    pkce,
    state: config.state ?? (yield* newState),
    scope: scopeToAsk(resolved, config)
  }
  const authorizationUrl = urlFor(endpoint, asked)
  yield* pendings.add({ ...asked, authorizationUrl })
  yield* Effect.logInfo(`Began an authorization at ${endpoint.origin}`)
  return { authorizationUrl }
})

/**
 * Exchanges the code of a response for a token (RFC 6749 §4.1.3), at the server that was asked and with the verifier
 * of that very request. The code is good for one use and so is sent once, whatever becomes of it.
 */
export const redeem = Effect.fn("AuthorizationCode.redeem")(function* (
  response: GenuineResponse
): Effect.fn.Return<OAuthToken, OAuthErrorReason, LoginServices> {
  const code = yield* acceptAuthorizationResponse(response)
  const { pkce, redirectUri, request, resolved, scope } = response.pending
  const token = yield* requestToken(
    request,
    resolved,
    {
      grant_type: "authorization_code",
      code,
      redirect_uri: redirectUri,
      code_verifier: pkce?.verifier,
      resource: resolved.resource
    },
    scope
  ).pipe(
    retryUnsent,
    Effect.tapErrorTag("RequestRefused", ({ error }) => forgetUnknown(resolved, error))
  )
  yield* (yield* StepUps).consented(request)
  return new OAuthToken({ ...token, grantedTo: grantedClient(resolved.client, resolved.issuer) })
})

/** A registration that the server dropped is of no use for the next login. */
export const forgetUnknown = ({ client }: ResolvedClient, error: string | undefined) =>
  error === "invalid_client" && client.source === "registered"
    ? Effect.flatMap(ResolvedClients, ({ forget }) => forget(client))
    : Effect.void

/** It is going to be opened in a browser, which understands schemes that run programs. */
const authorizationEndpoint = ({ authorizationEndpoint: endpoint, metadata }: ResolvedClient) => {
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

/** A server that lists `offline_access` gives refresh tokens to those who ask for it; to others it means nothing. */
const scopeToAsk = ({ metadata, scope }: ResolvedClient, config: OAuthConfig): string | undefined => {
  if (scope === undefined || metadata === undefined) return scope
  if (metadata.scopesSupported?.includes("offline_access") === true) {
    return unionScope(scope, "offline_access")
  }
  return scopeNames(config.scope).includes("offline_access")
    ? scope
    : unionScope(scopeNames(scope).filter((name) => name !== "offline_access"))
}

/** The endpoint with the parameters of RFC 6749 §4.1.1; what its own query has is kept (§3.1). */
const urlFor = (
  endpoint: URL,
  { pkce, redirectUri, request, resolved, scope, state }: Omit<PendingAuthorization, "authorizationUrl">
): string => {
  const { audience, organization } = request.config
  const parameters = {
    response_type: "code",
    client_id: resolved.client.clientId,
    redirect_uri: redirectUri,
    scope,
    state: Redacted.value(state),
    code_challenge: pkce?.challenge,
    code_challenge_method: pkce?.method,
    resource: resolved.resource,
    audience,
    organization,
    // OpenID Connect Core §11: without it, the request for a refresh token is ignored.
    prompt: scopeNames(scope).includes("offline_access") ? "consent" : undefined
  }
  const url = new URL(endpoint)
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value)
  }
  return url.href
}
