import * as Schema from "effect/Schema"

const Text = Schema.optionalKey(Schema.String)
const Texts = Schema.optionalKey(Schema.Array(Schema.String))
const Flag = Schema.optionalKey(Schema.Boolean)

/** What an authorization server says of itself (RFC 8414 §2, OpenID Connect Discovery §3). URLs as they were written. */
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
  clientIdMetadataDocumentSupported: Flag
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
    clientIdMetadataDocumentSupported: "client_id_metadata_document_supported"
  })
)

/** What an authorization server says of itself. */
export interface AuthorizationServerMetadata extends Schema.Schema.Type<typeof AuthorizationServerMetadata> {}
