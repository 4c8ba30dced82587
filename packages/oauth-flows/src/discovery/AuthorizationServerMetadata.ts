import { DiscoveryFailed, endpointProblem } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthConfig, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import * as Result from "effect/Result"
import { shownUrl, withoutQuery } from "../endpoint/Endpoint.ts"
import type { EndpointClient } from "../endpoint/EndpointClient.ts"
import { differInLastSlash, isIssuerOf, leavesHttps } from "./Issuer.ts"
import {
  MetadataText,
  MetadataTexts,
  NotHere,
  notFound,
  readMetadata,
  searchPlaces
} from "./MetadataDocument.ts"
import { authorizationServerMetadataUrls } from "./WellKnown.ts"

const Text = Schema.optionalKey(MetadataText)
const Texts = Schema.optionalKey(MetadataTexts)
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
  issuer: MetadataText,
  tokenEndpoint: MetadataText,
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

/** An authorization server that was found. */
export interface AuthorizationServer {
  /** What identifies it, byte for byte: the issuer that was asked, whatever the document calls itself. */
  readonly issuer: string
  readonly metadata: AuthorizationServerMetadata
}

/**
 * Finds the metadata of an authorization server. What does not call itself by this issuer is not used: it may be
 * another server's, put there to mix them up (RFC 8414 §3.3, OpenID Connect Discovery §4.3). With `issuer_mismatch`
 * "allow" such a document is used where no place has the right one.
 *
 * @param issuer as it was configured or discovered, not normalised
 */
export const findAuthorizationServer = Effect.fn("AuthorizationServerMetadata.find")(function* (
  issuer: string,
  request: GrantRequest
): Effect.fn.Return<AuthorizationServerMetadata, OAuthErrorReason, EndpointClient> {
  const unusable = issuerProblem(issuer, request.config)
  if (unusable !== undefined) {
    return yield* new DiscoveryFailed({ url: withoutQuery(issuer), problem: `the issuer ${unusable}` })
  }
  const found = yield* searchAuthorizationServer(authorizationServerMetadataUrls(issuer), [issuer], request)
  return Result.isSuccess(found)
    ? found.success.metadata
    : yield* notFound(issuer, found.failure, "Check the issuer, or configure the endpoints")
})

/**
 * Looks for the metadata of an authorization server at several places.
 *
 * @param issuers that it may call itself by. The first one identifies a document under another name, where that is
 *   allowed
 */
export const searchAuthorizationServer = Effect.fnUntraced(function* (
  urls: ReadonlyArray<string>,
  issuers: readonly [string, ...ReadonlyArray<string>],
  request: GrantRequest
): Effect.fn.Return<
  Result.Result<AuthorizationServer, ReadonlyArray<NotHere>>,
  OAuthErrorReason,
  EndpointClient
> {
  const { issuerMismatch } = request.config
  const [asked] = issuers
  /** @param accept the issuer that a document is used for; undefined for one that must not be used */
  const search = (accept: (own: string) => string | undefined) =>
    searchPlaces(
      "authorization server",
      urls,
      Effect.fnUntraced(function* (url: string) {
        const document = { kind: "authorization server" as const, url, request }
        const metadata = yield* readMetadata(AuthorizationServerMetadata, document)
        const issuer = accept(metadata.issuer)
        if (issuer === undefined) return yield* otherIssuer(url, asked, metadata.issuer)
        return { issuer, metadata: yield* withUsableEndpoints(url, issuer, metadata, request) }
      })
    )
  const named = yield* search((own) => issuers.find((issuer) => isIssuerOf(issuer, own)))
  if (Result.isSuccess(named) || issuerMismatch === "refuse") return named
  return yield* search((own) => (leavesHttps(asked, own) ? undefined : asked))
})

const otherIssuer = (url: string, asked: string, own: string): NotHere => {
  const difference = differInLastSlash(asked, own) ? ", which differs in the last slash," : ""
  const advice = leavesHttps(asked, own)
    ? "A name without https is never used"
    : 'If both are one server, set `issuer_mismatch` to "allow"'
  return new NotHere({
    url,
    isAbsent: false,
    problem:
      `its \`issuer\` ${shownUrl(own)}${difference} is not the authorization server ${shownUrl(asked)} ` +
      `that was asked (RFC 8414 §3.3). ${advice}`
  })
}

const issuerProblem = (issuer: string, config: OAuthConfig): string | undefined =>
  endpointProblem(issuer, config) ??
  (issuer.includes("?") ? "must not contain a query (RFC 8414 §2)" : undefined)

/**
 * The metadata with the endpoints that may be used. Every endpoint is held to the rules of a configured one, and to
 * https where the issuer is. One that breaks them is left out, or ends the search if the grant cannot do without it.
 */
const withUsableEndpoints = Effect.fnUntraced(function* (
  url: string,
  issuer: string,
  metadata: AuthorizationServerMetadata,
  { config }: GrantRequest
) {
  const { mtlsEndpointAliases, ...own } = metadata
  const named: AuthorizationServerMetadata = config.useMtls ? { ...own, ...mtlsEndpointAliases } : own
  const rules = { ...config, enforceHttps: config.enforceHttps || /^https:/i.test(issuer) }
  const broken = endpoints.flatMap(([key, name]) => {
    const endpoint = named[key]
    const problem = endpoint === undefined ? undefined : endpointProblem(endpoint, rules)
    return problem === undefined ? [] : [{ key, problem: `its \`${name}\` ${problem}` }]
  })
  const refused = broken.find(
    ({ key }) =>
      key === "tokenEndpoint" ||
      (key === "authorizationEndpoint" && config.grantType === "authorization_code")
  )
  if (refused !== undefined) {
    return yield* new DiscoveryFailed({ url: withoutQuery(url), problem: refused.problem })
  }
  yield* Effect.forEach(broken, ({ problem }) =>
    Effect.logWarning(`${withoutQuery(url)}: ${problem}. It is not used`)
  )
  return Struct.omit(
    named,
    broken.flatMap(({ key }) => (key === "tokenEndpoint" ? [] : [key]))
  )
})

const endpoints = [
  ["tokenEndpoint", "token_endpoint"],
  ["authorizationEndpoint", "authorization_endpoint"],
  ["registrationEndpoint", "registration_endpoint"],
  ["revocationEndpoint", "revocation_endpoint"],
  ["deviceAuthorizationEndpoint", "device_authorization_endpoint"]
] as const
