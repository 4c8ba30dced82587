import { Misconfigured } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthConfig, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { isFilled, readSuccessFields, unusableResponse } from "../endpoint/SuccessResponse.ts"
import type { Client } from "../client/Client.ts"
import { configuredEndpoint } from "../endpoint/Endpoint.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import { Flow } from "./Flow.ts"
import { readSecret } from "./SecretFile.ts"
import type { GrantTarget } from "../resolution/GrantTarget.ts"

const grantType = "urn:ietf:params:oauth:grant-type:token-exchange"
/** An identity assertion JWT authorization grant: an identity provider's assertion about a person, for another server. */
const idJag = "urn:ietf:params:oauth:token-type:id-jag"

/** Token exchange (RFC 8693): exchanges the subject token for an access token for the MCP server. */
export const tokenExchange: Flow = Flow.tokenRequest({
  grantType: "token_exchange",
  keys: {},
  parameters: Effect.fnUntraced(function* ({ request, target }) {
    const { config } = request
    return {
      grant_type: grantType,
      subject_token: yield* readSecret("subject_token", config.subjectToken, request),
      subject_token_type: config.subjectTokenType,
      actor_token:
        config.actorToken === undefined
          ? undefined
          : yield* readSecret("actor_token", config.actorToken, request),
      actor_token_type: config.actorTokenType,
      requested_token_type: config.requestedTokenType,
      audience: config.audience,
      organization: config.organization,
      resource: target.resource
    }
  })
})

/**
 * Exchanges a person's token at the identity provider for an assertion that the MCP server's authorization server
 * accepts (RFC 8693 §2, draft-ietf-oauth-identity-assertion-authz-grant §4).
 */
export const exchangeForAssertion = Effect.fn("TokenExchange.exchangeForAssertion")(function* (
  request: GrantRequest,
  { issuer, resource, scope }: Pick<GrantTarget, "issuer" | "resource" | "scope">,
  provider: NonNullable<OAuthConfig["identityProvider"]>
): Effect.fn.Return<Redacted.Redacted, OAuthErrorReason, EndpointClient> {
  const { clientId, subjectTokenType, tokenUrl } = provider
  if (tokenUrl === undefined || clientId === undefined) {
    return yield* new Misconfigured({ problem: "`identity_provider` lacks its `token_url` or `client_id`" })
  }
  if (issuer === undefined) {
    return yield* new Misconfigured({
      problem: "`identity_provider` needs the `issuer` that the assertion is for"
    })
  }
  const endpoint = configuredEndpoint("identity provider's token", tokenUrl)
  const parameters = {
    grant_type: grantType,
    requested_token_type: idJag,
    audience: issuer,
    resource,
    scope,
    subject_token: yield* readSecret("identity_provider.subject_token", provider.subjectToken, request),
    subject_token_type: subjectTokenType
  }
  const client = identityProviderClient(clientId, provider.clientSecret, tokenUrl)
  const fields = yield* (yield* EndpointClient).post(
    { request, endpoint, client, parameters },
    readSuccessFields(endpoint)
  )
  const { access_token: assertion, issued_token_type: type } = fields
  if (type !== idJag)
    return yield* unusableResponse(endpoint, "its `issued_token_type` is not the one asked for")
  return isFilled(assertion)
    ? Redacted.make(assertion)
    : yield* unusableResponse(endpoint, "it has no `access_token`")
})

const identityProviderClient = (
  clientId: string,
  clientSecret: Redacted.Redacted | undefined,
  tokenUrl: string
): Client => ({
  clientId,
  clientSecret,
  clientSecretExpiresAt: undefined,
  authenticationMethod: clientSecret === undefined ? "none" : "client_secret_basic",
  audience: tokenUrl,
  source: "configured"
})
