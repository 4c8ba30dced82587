import type * as Brand from "effect/Brand"
import * as Schema from "effect/Schema"

/**
 * The built-in grants (RFC 6749 §4, RFC 7523, RFC 8628, RFC 8693). Refreshing is not among them: it
 * happens by itself.
 */
export const grantTypes = [
  "client_credentials",
  "authorization_code",
  "jwt_bearer",
  "token_exchange",
  "device_code"
] as const

/** A built-in grant. */
export type GrantType = (typeof grantTypes)[number]

/** The name of a grant that others define (`GrantDefinition`). It comes from `decodeOAuthConfig`. */
export type OwnGrantType = Brand.Branded<string, "@secure-mcp/oauth-core/OwnGrantType">

/**
 * Whether a grant is given by a person, who then owns the token; every other one, those of others included, brings the
 * client's own token.
 */
export const isPersonalGrant = (grantType: GrantType | OwnGrantType): boolean =>
  grantType === "authorization_code" || grantType === "device_code"

/** Other grants of OAuth, which an error names. Any other text is not quoted: it may be a secret. */
const otherGrantTypes: ReadonlySet<string> = new Set(["refresh_token", "password", "implicit"])

const unsupportedGrantType = (value: string, known: ReadonlyArray<string>): string =>
  otherGrantTypes.has(value)
    ? `Unsupported grant type: ${value}`
    : `Unsupported grant type: it must be ${known.join(", ")}`

/**
 * Decodes a grant that can be configured; any other one is refused without quoting what is not a grant.
 *
 * @param own the names of grants that others define
 */
export const grantTypeAmong = (own: ReadonlyArray<string>) => {
  const known = [...grantTypes, ...own]
  const isKnown = (value: string): value is GrantType | OwnGrantType => known.includes(value)
  return Schema.String.check(
    Schema.makeFilter(
      (value: string) => isKnown(value) || unsupportedGrantType(value, known),
      undefined,
      true
    )
  ).pipe(Schema.refine(isKnown))
}
