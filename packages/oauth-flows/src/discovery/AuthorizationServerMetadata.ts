import { DiscoveryFailed, endpointProblem } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthConfig, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { withoutQuery } from "../endpoint/Endpoint.ts"
import type { EndpointClient } from "../endpoint/EndpointClient.ts"
import { firstOf, NotHere, readMetadata } from "./MetadataDocument.ts"
import { authorizationServerMetadataUrls } from "./WellKnown.ts"

const Text = Schema.optionalKey(Schema.String)
const Texts = Schema.optionalKey(Schema.Array(Schema.String))
const Flag = Schema.optionalKey(Schema.Boolean)

/** Endpoints for clients that present a certificate (RFC 8705 §5). */
const MtlsEndpointAliases = Schema.Struct({
  tokenEndpoint: Text,
  revocationEndpoint: Text,
  deviceAuthorizationEndpoint: Text,
  registrationEndpoint: Text
}).pipe(
  Schema.encodeKeys({
    tokenEndpoint: "token_endpoint",
    revocationEndpoint: "revocation_endpoint",
    deviceAuthorizationEndpoint: "device_authorization_endpoint",
    registrationEndpoint: "registration_endpoint"
  })
)

/** Authorization server metadata (RFC 8414 §2, OpenID Connect Discovery §3). URLs are as the server wrote them. */
export const AuthorizationServerMetadata = Schema.Struct({
  issuer: Schema.String,
  tokenEndpoint: Schema.String,
  authorizationEndpoint: Text,
  registrationEndpoint: Text,
  revocationEndpoint: Text,
  deviceAuthorizationEndpoint: Text,
  scopesSupported: Texts,
  grantTypesSupported: Texts,
  tokenEndpointAuthMethodsSupported: Texts,
  codeChallengeMethodsSupported: Texts,
  /** RFC 9207 §3 */
  authorizationResponseIssParameterSupported: Flag,
  clientIdMetadataDocumentSupported: Flag,
  /** RFC 8705 §3.3 */
  tlsClientCertificateBoundAccessTokens: Flag,
  mtlsEndpointAliases: Schema.optionalKey(MtlsEndpointAliases)
}).pipe(
  Schema.encodeKeys({
    tokenEndpoint: "token_endpoint",
    authorizationEndpoint: "authorization_endpoint",
    registrationEndpoint: "registration_endpoint",
    revocationEndpoint: "revocation_endpoint",
    deviceAuthorizationEndpoint: "device_authorization_endpoint",
    scopesSupported: "scopes_supported",
    grantTypesSupported: "grant_types_supported",
    tokenEndpointAuthMethodsSupported: "token_endpoint_auth_methods_supported",
    codeChallengeMethodsSupported: "code_challenge_methods_supported",
    authorizationResponseIssParameterSupported: "authorization_response_iss_parameter_supported",
    clientIdMetadataDocumentSupported: "client_id_metadata_document_supported",
    tlsClientCertificateBoundAccessTokens: "tls_client_certificate_bound_access_tokens",
    mtlsEndpointAliases: "mtls_endpoint_aliases"
  })
)

/** Authorization server metadata. */
export interface AuthorizationServerMetadata extends Schema.Schema.Type<typeof AuthorizationServerMetadata> {}

/**
 * Finds the metadata of an authorization server. A document whose issuer is not exactly this one is not used, because
 * of mix-up attacks (RFC 8414 §3.3, OpenID Connect Discovery §4.3).
 *
 * @param issuer as it was configured or discovered, not normalised
 */
export const findAuthorizationServer = Effect.fn("AuthorizationServerMetadata.find")(function* (
  issuer: string,
  request: GrantRequest
): Effect.fn.Return<AuthorizationServerMetadata, OAuthErrorReason, EndpointClient> {
  const { config } = request
  const unusable = issuerProblem(issuer, config)
  if (unusable !== undefined) return yield* refuse(issuer, `the issuer ${unusable}`)
  const read = Effect.fnUntraced(function* (url: string) {
    const metadata = yield* readMetadata(AuthorizationServerMetadata, {
      kind: "authorization server",
      url,
      request
    })
    if (metadata.issuer !== issuer) {
      return yield* new NotHere({
        url,
        problem: "its `issuer` is not the authorization server that was asked (RFC 8414 §3.3)"
      })
    }
    const usable = config.useMtls ? { ...metadata, ...metadata.mtlsEndpointAliases } : metadata
    const problem = endpointsProblem(usable, config)
    return problem === undefined ? usable : yield* refuse(url, problem)
  })
  return yield* firstOf(
    authorizationServerMetadataUrls(issuer),
    issuer,
    read,
    "Check the issuer, or configure the endpoints"
  )
})

const refuse = (url: string, problem: string) =>
  Effect.fail(new DiscoveryFailed({ url: withoutQuery(url), problem }))

const issuerProblem = (issuer: string, config: OAuthConfig): string | undefined =>
  endpointProblem(issuer, config) ??
  (issuer.includes("?") ? "must not contain a query (RFC 8414 §2)" : undefined)

/** Every endpoint must follow the rules of a configured one, and use https if the issuer does. */
const endpointsProblem = (metadata: AuthorizationServerMetadata, config: OAuthConfig): string | undefined => {
  const endpoints = {
    token_endpoint: metadata.tokenEndpoint,
    authorization_endpoint: metadata.authorizationEndpoint,
    registration_endpoint: metadata.registrationEndpoint,
    revocation_endpoint: metadata.revocationEndpoint,
    device_authorization_endpoint: metadata.deviceAuthorizationEndpoint
  }
  const rules = { ...config, enforceHttps: config.enforceHttps || /^https:/i.test(metadata.issuer) }
  const problems = Object.entries(endpoints).flatMap(([key, url]) => {
    const problem = url === undefined ? undefined : endpointProblem(url, rules)
    return problem === undefined ? [] : [`its \`${key}\` ${problem}`]
  })
  return problems[0]
}
