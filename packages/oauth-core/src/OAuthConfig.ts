import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { decodeConfig, type ConfigResult } from "./ConfigProblem.ts"
import { oauthConfigRules } from "./OAuthConfigRules.ts"

/** The grants that can be configured (RFC 6749 §4). Refreshing is not among them: it happens by itself. */
export const grantTypes = ["client_credentials", "authorization_code"] as const

/** A grant that can be configured. */
export type GrantType = (typeof grantTypes)[number]

const isGrantType = (value: string): value is GrantType => grantTypes.some((grant) => grant === value)

const GrantType = Schema.String.check(
  Schema.makeFilter(
    (value: string) => isGrantType(value) || `Unsupported grant type: ${value}`,
    undefined,
    true
  )
).pipe(Schema.refine(isGrantType))

const withDefault = <S extends Schema.Constraint>(schema: S, value: S["Encoded"]) =>
  Schema.withDecodingDefaultKey<S>(Effect.succeed(value))(schema)

/** A value that may be a secret: plain text in the file, redacted from the moment it is decoded. */
const Secret = Schema.RedactedFromValue(Schema.String)

/** A form parameter: JSON scalars are written the way they stand in the file. */
const Parameter = Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])

const fields = {
  /** Off: the entry passes through untouched. */
  enabled: withDefault(Schema.Boolean, false),
  /** Which rule set applies. 2.1 refuses what RFC 9700 warns of. */
  version: withDefault(Schema.Literals(["2.0", "2.1"]), "2.0"),
  grantType: withDefault(GrantType, "client_credentials"),
  /** Token endpoint (RFC 6749 §3.2). */
  tokenUrl: Schema.optionalKey(Schema.String),
  clientId: Schema.optionalKey(Schema.String),
  clientSecret: Schema.optionalKey(Secret),
  audience: Schema.optionalKey(Schema.String),
  organization: Schema.optionalKey(Schema.String),
  /** Space-separated scope tokens (RFC 6749 §3.3). */
  scope: Schema.optionalKey(Schema.String),
  /** Resource indicator (RFC 8707 §2), sent byte for byte as written. */
  resource: Schema.optionalKey(Schema.String),
  /** PKCE (RFC 7636). Always on with version 2.1. */
  usePkce: withDefault(Schema.Boolean, false),
  authorizationUrl: Schema.optionalKey(Schema.String),
  redirectUri: Schema.optionalKey(Schema.String),
  state: Schema.optionalKey(Secret),
  codeVerifier: Schema.optionalKey(Secret),
  codeChallenge: Schema.optionalKey(Schema.String),
  codeChallengeMethod: withDefault(Schema.Literals(["S256", "plain"]), "S256"),
  /** Seconds before expiry from which a token is refreshed in the background; at most half of its lifetime counts. */
  tokenExpiryBuffer: withDefault(Schema.Finite, 300),
  /** Seconds a token lives when the answer does not say. */
  defaultExpiresIn: Schema.optionalKey(Schema.Finite),
  /** true: client_secret_basic, false: client_secret_post (RFC 6749 §2.3.1). */
  useBasicAuth: withDefault(Schema.Boolean, true),
  enforceHttps: withDefault(Schema.Boolean, true),
  tokenInHeaderOnly: withDefault(Schema.Boolean, true),
  /** The variables that carry the token to a stdio server. */
  tokenEnv: withDefault(Schema.Union([Schema.String, Schema.Array(Schema.String)]), "ENKRYPT_ACCESS_TOKEN"),
  /** Present a client certificate (RFC 8705) to the authorization server and to the MCP server. */
  useMtls: withDefault(Schema.Boolean, false),
  clientCertPath: Schema.optionalKey(Schema.String),
  clientKeyPath: Schema.optionalKey(Schema.String),
  /** PEM file with the authorities trusted for this entry, instead of the system's. */
  caBundlePath: Schema.optionalKey(Schema.String),
  /** Revocation endpoint (RFC 7009 §2). */
  revocationUrl: Schema.optionalKey(Schema.String),
  /** Refuse a token that lacks a requested scope. */
  validateScopes: withDefault(Schema.Boolean, true),
  /** Added to the token request. */
  additionalParams: withDefault(Schema.Record(Schema.String, Schema.RedactedFromValue(Parameter)), {}),
  /** Added to the headers of the token request. */
  customHeaders: withDefault(Schema.Record(Schema.String, Secret), {})
}

/** The key in the file for each key in code. */
const wireNames = {
  grantType: "grant_type",
  tokenUrl: "token_url",
  clientId: "client_id",
  clientSecret: "client_secret",
  usePkce: "use_pkce",
  authorizationUrl: "authorization_url",
  redirectUri: "redirect_uri",
  codeVerifier: "code_verifier",
  codeChallenge: "code_challenge",
  codeChallengeMethod: "code_challenge_method",
  tokenExpiryBuffer: "token_expiry_buffer",
  defaultExpiresIn: "default_expires_in",
  useBasicAuth: "use_basic_auth",
  enforceHttps: "enforce_https",
  tokenInHeaderOnly: "token_in_header_only",
  tokenEnv: "token_env",
  useMtls: "use_mtls",
  clientCertPath: "client_cert_path",
  clientKeyPath: "client_key_path",
  caBundlePath: "ca_bundle_path",
  revocationUrl: "revocation_url",
  validateScopes: "validate_scopes",
  additionalParams: "additional_params",
  customHeaders: "custom_headers"
} as const

const Fields = Schema.Struct(fields).pipe(Schema.encodeKeys(wireNames))

/**
 * How the tokens for one MCP server are obtained: the wire form is snake_case JSON, the code form camelCase with
 * every default filled in and every secret `Redacted`.
 *
 * Decoding checks each field and every rule between fields. `decodeOAuthConfig` reports all problems at once and
 * is what most callers want.
 */
export const OAuthConfig = Fields.check(
  Schema.makeFilter((config: typeof Fields.Type) =>
    oauthConfigRules(config).map(({ path, message }) => ({ path, issue: message }))
  )
)

/** How the tokens for one MCP server are obtained. */
export interface OAuthConfig extends Schema.Schema.Type<typeof OAuthConfig> {}

/** The keys an `oauth` object may have in the file. */
export const oauthConfigKeys: ReadonlyArray<string> = Object.keys(fields).map(
  (key) => Object.entries(wireNames).find(([name]) => name === key)?.[1] ?? key
)

/** Decodes an `oauth` object and reports every problem at once, by path, without quoting a value. */
export const decodeOAuthConfig: (input: unknown) => ConfigResult<OAuthConfig> = decodeConfig({
  schema: Fields,
  keys: oauthConfigKeys,
  wireNames,
  rules: oauthConfigRules
})
