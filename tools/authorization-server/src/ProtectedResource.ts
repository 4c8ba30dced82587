/**
 * A resource server that tokens can be requested for (RFC 8707).
 */
export interface ProtectedResource {
  /** The resource indicator: an absolute URI without a fragment, compared byte for byte. */
  readonly identifier: string
  /** The scopes this resource understands; others are dropped from its tokens. */
  readonly scopes: ReadonlyArray<string>
  /** `jwt` is the profile of RFC 9068. JWTs can be neither introspected nor revoked at the endpoints. */
  readonly accessTokenFormat: "opaque" | "jwt"
}
