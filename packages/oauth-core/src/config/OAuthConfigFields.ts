import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { providerNames } from "../providers/Providers.ts"
import { ClientAuthenticationMethod } from "./ClientAuthenticationMethod.ts"
import { grantTypeAmong } from "./GrantType.ts"

const withDefault = <S extends Schema.Constraint>(schema: S, value: S["Encoded"]) =>
  Schema.withDecodingDefaultKey<S>(Effect.succeed(value))(schema)

/** A value that may be a secret: plain text in the file, redacted from the moment it is decoded. */
const Secret = Schema.RedactedFromValue(Schema.String)

/** A form parameter: JSON scalars are written the way they stand in the file. */
const Parameter = Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])

/** A member of the registration request: `false` leaves it out. */
const RegistrationMember = Schema.Union([Schema.String, Schema.Boolean, Schema.Array(Schema.String)])

/** Where the assertion of an enterprise-managed authorization comes from: the token exchange of RFC 8693 there. */
const IdentityProvider = Schema.Struct({
  tokenUrl: Schema.optionalKey(Schema.String),
  clientId: Schema.optionalKey(Schema.String),
  clientSecret: Schema.optionalKey(Secret),
  /** The person's token; `${file:/path}` is read anew for each request. */
  subjectToken: Schema.optionalKey(Secret),
  subjectTokenType: withDefault(Schema.String, "urn:ietf:params:oauth:token-type:id_token")
}).pipe(
  Schema.encodeKeys({
    tokenUrl: "token_url",
    clientId: "client_id",
    clientSecret: "client_secret",
    subjectToken: "subject_token",
    subjectTokenType: "subject_token_type"
  })
)

/** A variable of a child, and what is written into it around the token. */
const TokenVariable = Schema.Struct({
  name: Schema.String,
  /** Holds `{token}` once. Default: the token alone. */
  format: Schema.optionalKey(Schema.String)
})

const TokenEnv = Schema.Union([Schema.String, TokenVariable])

/** @param own the names of grants that others define */
const grantTypeField = (own: ReadonlyArray<string>) => withDefault(grantTypeAmong(own), "client_credentials")

/** Every field, by its name in code. */
export const fields = {
  /** Off: the entry passes through untouched. */
  enabled: withDefault(Schema.Boolean, false),
  /** A provider whose needs are known: presets keys that this object does not have. */
  provider: Schema.optionalKey(Schema.Literals(providerNames)),
  /** Which rule set applies. 2.1 refuses what RFC 9700 warns of. */
  version: withDefault(Schema.Literals(["2.0", "2.1"]), "2.0"),
  grantType: grantTypeField([]),
  /** Token endpoint (RFC 6749 §3.2). */
  tokenUrl: Schema.optionalKey(Schema.String),
  /** The authorization server, byte for byte (RFC 8414 §2), where it is not to be found through the resource. */
  issuer: Schema.optionalKey(Schema.String),
  /** `allow` uses metadata that calls the server by another issuer than the one that was asked (RFC 8414 §3.3). */
  issuerMismatch: withDefault(Schema.Literals(["refuse", "allow"]), "refuse"),
  clientId: Schema.optionalKey(Schema.String),
  clientSecret: Schema.optionalKey(Secret),
  /** The https URL that is our `client_id` where the server supports Client ID Metadata Documents. */
  clientMetadataUrl: Schema.optionalKey(Schema.String),
  /** The name a server we register at shows to the person (RFC 7591 §2). */
  clientName: Schema.optionalKey(Schema.String),
  /** Members of the registration request (RFC 7591 §2) that are sent otherwise than by default; `false` leaves one out. */
  registration: withDefault(Schema.Record(Schema.String, RegistrationMember), {}),
  /** Default: what the server's metadata prefers and this configuration can do, else `use_basic_auth` decides. */
  tokenEndpointAuthMethod: Schema.optionalKey(ClientAuthenticationMethod),
  /** For `private_key_jwt`: PEM (PKCS#8) or a JWK as JSON. */
  privateKey: Schema.optionalKey(Secret),
  /** Default: the one that fits the key. */
  privateKeyAlg: Schema.optionalKey(Schema.Literals(["ES256", "RS256", "EdDSA"])),
  /** The `kid` by which the server finds the public key. */
  privateKeyId: Schema.optionalKey(Schema.String),
  audience: Schema.optionalKey(Schema.String),
  organization: Schema.optionalKey(Schema.String),
  /** Space-separated scope tokens (RFC 6749 §3.3). */
  scope: Schema.optionalKey(Schema.String),
  /** What stands between two scope names in requests: some servers want a comma (RFC 6749 §3.3 says a space). */
  scopeSeparator: withDefault(Schema.Literals([" ", ","]), " "),
  /** Repeat the scope in refresh requests (RFC 6749 §6), for servers that refuse a refresh without it. */
  scopeOnRefresh: withDefault(Schema.Boolean, false),
  /** Ask for `offline_access` where the server's metadata lists it (OpenID Connect Core §11). */
  offlineAccess: withDefault(Schema.Boolean, true),
  /** Resource indicator (RFC 8707 §2), sent byte for byte as written; `false` leaves it out of every request. */
  resource: Schema.optionalKey(Schema.Union([Schema.String, Schema.Literal(false)])),
  /** PKCE (RFC 7636). Always on with version 2.1. */
  usePkce: withDefault(Schema.Boolean, false),
  authorizationUrl: Schema.optionalKey(Schema.String),
  /** Device authorization endpoint (RFC 8628 §3.1). */
  deviceAuthorizationUrl: Schema.optionalKey(Schema.String),
  redirectUri: Schema.optionalKey(Schema.String),
  state: Schema.optionalKey(Secret),
  codeVerifier: Schema.optionalKey(Secret),
  codeChallenge: Schema.optionalKey(Schema.String),
  codeChallengeMethod: withDefault(Schema.Literals(["S256", "plain"]), "S256"),
  /** For `jwt_bearer`: the JWT (RFC 7523 §2.1); `${file:/path}` is read anew for each request. */
  assertion: Schema.optionalKey(Secret),
  /** For `jwt_bearer`: where the assertion is obtained first. */
  identityProvider: Schema.optionalKey(IdentityProvider),
  /** For `token_exchange` (RFC 8693 §2.1); `${file:/path}` is read anew for each request. */
  subjectToken: Schema.optionalKey(Secret),
  subjectTokenType: Schema.optionalKey(Schema.String),
  /** Who acts for the subject (RFC 8693 §2.1): a token of our own; `${file:/path}` is read anew for each request. */
  actorToken: Schema.optionalKey(Secret),
  actorTokenType: Schema.optionalKey(Schema.String),
  requestedTokenType: Schema.optionalKey(Schema.String),
  /** Seconds before expiry from which a token is refreshed in the background; at most half of its lifetime counts. */
  tokenExpiryBuffer: withDefault(Schema.Finite, 300),
  /** Seconds a token lives when the answer does not say. */
  defaultExpiresIn: Schema.optionalKey(Schema.Finite),
  /** true: client_secret_basic, false: client_secret_post (RFC 6749 §2.3.1). */
  useBasicAuth: withDefault(Schema.Boolean, true),
  /** `raw`: client id and secret are not form-encoded before Basic, for servers that do not decode them. */
  basicEncoding: withDefault(Schema.Literals(["form", "raw"]), "form"),
  enforceHttps: withDefault(Schema.Boolean, true),
  /** Always true: a token is never sent in a URL (RFC 6750 §5.3). `false` is refused. */
  tokenInHeaderOnly: withDefault(Schema.Boolean, true),
  /** The variables that carry the token to a stdio server. */
  tokenEnv: withDefault(Schema.Union([TokenEnv, Schema.Array(TokenEnv)]), "ENKRYPT_ACCESS_TOKEN"),
  /** Present a client certificate (RFC 8705) to the authorization server and to the MCP server. */
  useMtls: withDefault(Schema.Boolean, false),
  clientCertPath: Schema.optionalKey(Schema.String),
  clientKeyPath: Schema.optionalKey(Schema.String),
  /** PKCS#12 file with the certificate and its key, instead of the two. */
  clientPkcs12Path: Schema.optionalKey(Schema.String),
  /** Opens an encrypted key or the PKCS#12 file. */
  clientKeyPassphrase: Schema.optionalKey(Secret),
  /** PEM file with the authorities trusted for this entry, instead of the system's. */
  caBundlePath: Schema.optionalKey(Schema.String),
  /** Revocation endpoint (RFC 7009 §2). */
  revocationUrl: Schema.optionalKey(Schema.String),
  /** Introspection endpoint (RFC 7662 §2): says which certificate an opaque token is bound to. */
  introspectionUrl: Schema.optionalKey(Schema.String),
  /** Refuse a token that lacks a requested scope. */
  validateScopes: withDefault(Schema.Boolean, true),
  /** Added to the login URL. `prompt` replaces the one we would send; null sends none. */
  authorizeParams: withDefault(Schema.Record(Schema.String, Schema.NullOr(Parameter)), {}),
  /** Added to the token request. */
  additionalParams: withDefault(Schema.Record(Schema.String, Schema.RedactedFromValue(Parameter)), {}),
  /** Added to the headers of the token request. */
  customHeaders: withDefault(Schema.Record(Schema.String, Secret), {})
}

/** The key in the file for each key in code. */
export const wireNames = {
  grantType: "grant_type",
  tokenUrl: "token_url",
  clientId: "client_id",
  clientSecret: "client_secret",
  usePkce: "use_pkce",
  clientMetadataUrl: "client_metadata_url",
  clientName: "client_name",
  tokenEndpointAuthMethod: "token_endpoint_auth_method",
  privateKey: "private_key",
  privateKeyAlg: "private_key_alg",
  privateKeyId: "private_key_id",
  authorizationUrl: "authorization_url",
  deviceAuthorizationUrl: "device_authorization_url",
  redirectUri: "redirect_uri",
  codeVerifier: "code_verifier",
  codeChallenge: "code_challenge",
  codeChallengeMethod: "code_challenge_method",
  identityProvider: "identity_provider",
  subjectToken: "subject_token",
  subjectTokenType: "subject_token_type",
  actorToken: "actor_token",
  actorTokenType: "actor_token_type",
  requestedTokenType: "requested_token_type",
  tokenExpiryBuffer: "token_expiry_buffer",
  defaultExpiresIn: "default_expires_in",
  useBasicAuth: "use_basic_auth",
  enforceHttps: "enforce_https",
  tokenInHeaderOnly: "token_in_header_only",
  tokenEnv: "token_env",
  useMtls: "use_mtls",
  clientCertPath: "client_cert_path",
  clientKeyPath: "client_key_path",
  clientPkcs12Path: "client_pkcs12_path",
  clientKeyPassphrase: "client_key_passphrase",
  caBundlePath: "ca_bundle_path",
  revocationUrl: "revocation_url",
  introspectionUrl: "introspection_url",
  validateScopes: "validate_scopes",
  scopeSeparator: "scope_separator",
  scopeOnRefresh: "scope_on_refresh",
  offlineAccess: "offline_access",
  issuerMismatch: "issuer_mismatch",
  basicEncoding: "basic_encoding",
  authorizeParams: "authorize_params",
  additionalParams: "additional_params",
  customHeaders: "custom_headers"
} as const

/**
 * The fields with their types and defaults, before the rules between them are checked.
 *
 * @param own the names of grants that others define
 */
export const oauthConfigFieldsWith = (own: ReadonlyArray<string>) =>
  Schema.Struct({ ...fields, grantType: grantTypeField(own) }).pipe(Schema.encodeKeys(wireNames))

/** The fields of a configuration with a built-in grant. */
export const OAuthConfigFields = oauthConfigFieldsWith([])

/** The fields of an `OAuthConfig`. */
export interface OAuthConfigFields extends Schema.Schema.Type<typeof OAuthConfigFields> {}
