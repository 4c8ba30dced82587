import * as Schema from "effect/Schema"

/**
 * The grants that can be configured (RFC 6749 §4, RFC 7523, RFC 8628, RFC 8693). Refreshing is not among them: it
 * happens by itself.
 */
export const grantTypes = [
  "client_credentials",
  "authorization_code",
  "jwt_bearer",
  "token_exchange",
  "device_code"
] as const

/** A grant that can be configured. */
export type GrantType = (typeof grantTypes)[number]

/** Whether a grant is given by a person, who then owns the token; every other one brings the client's own token. */
export const isPersonalGrant = (grantType: GrantType): boolean =>
  grantType === "authorization_code" || grantType === "device_code"

const isGrantType = (value: string): value is GrantType => grantTypes.some((grant) => grant === value)

/** Other grants of OAuth, which an error names. Any other text is not quoted: it may be a secret. */
const otherGrantTypes: ReadonlySet<string> = new Set(["refresh_token", "password", "implicit"])

const unsupportedGrantType = (value: string): string =>
  otherGrantTypes.has(value)
    ? `Unsupported grant type: ${value}`
    : `Unsupported grant type: it must be ${grantTypes.join(", ")}`

/** Decodes a grant that can be configured; any other one is refused without quoting what is not a grant. */
export const GrantType = Schema.String.check(
  Schema.makeFilter((value: string) => isGrantType(value) || unsupportedGrantType(value), undefined, true)
).pipe(Schema.refine(isGrantType))
