import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { ClientAuthenticationMethod } from "./config/ClientAuthenticationMethod.ts"

/** The client a grant was given to, and by whom: only it can refresh, and only there (RFC 6749 §10.4). */
export const GrantedClient = Schema.Struct({
  /** As it was configured or discovered; absent where every endpoint is configured and no issuer is known. */
  issuer: Schema.optionalKey(Schema.String),
  /** The resource indicator (RFC 8707) of the grant's request: a refresh sends no other. */
  resource: Schema.optionalKey(Schema.String),
  /** The requested scope, as it was written in the request. */
  scope: Schema.optionalKey(Schema.String),
  /** Where the grant is renewed when the issuer's metadata cannot be found. Its query may hold a secret. */
  tokenEndpoint: Schema.optionalKey(Schema.RedactedFromValue(Schema.String)),
  /** Where it is revoked then. */
  revocationEndpoint: Schema.optionalKey(Schema.RedactedFromValue(Schema.String)),
  clientId: Schema.String,
  /** Of a registered client. That of a configured one stays in the configuration. */
  clientSecret: Schema.optionalKey(Schema.RedactedFromValue(Schema.String)),
  /** When the secret ends, in milliseconds since the epoch; absent if it does not. */
  clientSecretExpiresAt: Schema.optionalKey(Schema.Finite),
  /** How the client authenticated there; absent for a configured client whose server has no metadata. */
  tokenEndpointAuthMethod: Schema.optionalKey(ClientAuthenticationMethod)
})

/** The client a grant was given to, and by whom. */
export interface GrantedClient extends Schema.Schema.Type<typeof GrantedClient> {}

/**
 * An access token as it was granted (RFC 6749 §5.1), with the times of its issue and expiry.
 *
 * The encoded form has the secrets in plain text: encrypt it before it leaves the process.
 */
export class OAuthToken extends Schema.Class<OAuthToken>("@secure-mcp/oauth-core/OAuthToken")({
  accessToken: Schema.RedactedFromValue(Schema.String),
  /** Always a bearer token (RFC 6750); other types are refused when they arrive. */
  tokenType: Schema.Literal("Bearer"),
  /** Scope names that were granted; absent when neither the request nor the answer named any. */
  scope: Schema.optionalKey(Schema.Array(Schema.String)),
  refreshToken: Schema.optionalKey(Schema.RedactedFromValue(Schema.String)),
  /** When the token was requested, in milliseconds since the epoch. */
  issuedAt: Schema.Finite,
  /** When it expires, in milliseconds since the epoch; absent for a token that is valid until it is refused. */
  expiresAt: Schema.optionalKey(Schema.Finite),
  /** Whether it may be served again; false for a token without a known lifetime. */
  reusable: Schema.Boolean,
  /** For a grant that can be refreshed. */
  grantedTo: Schema.optionalKey(GrantedClient),
  /** The scope requested because the MCP server demanded more than is configured; a renewal requests it again. */
  stepUpScope: Schema.optionalKey(Schema.String)
}) {
  /** How long the token is valid from the moment it was requested. */
  get lifetime(): Duration.Duration {
    return this.expiresAt === undefined
      ? Duration.infinity
      : Duration.millis(Math.max(0, this.expiresAt - this.issuedAt))
  }

  /** Whether both are the same access token with the same refresh token. */
  isSame(other: OAuthToken): boolean {
    return this.isAccessToken(other.accessToken) && secretOf(this) === secretOf(other)
  }

  /** Whether `candidate` is this very access token. */
  isAccessToken(candidate: Redacted.Redacted): boolean {
    return Redacted.value(this.accessToken) === Redacted.value(candidate)
  }
}

const secretOf = ({ refreshToken }: OAuthToken): string | undefined =>
  refreshToken && Redacted.value(refreshToken)
