import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { Fields } from "./ParsedToken.ts"

/** What is expected of the claims of one issuer's tokens. */
export interface ExpectedClaims {
  readonly subjectClaim: string
  readonly groupsClaim: string
}

/** What a verified token says. */
export interface TokenClaims {
  readonly subject: string
  readonly scopes: ReadonlyArray<string>
  readonly groups: ReadonlyArray<string>
  readonly audiences: ReadonlyArray<string>
  /** In milliseconds since the epoch. */
  readonly expiresAt: number
  /** Until when it is not valid, in milliseconds since the epoch. */
  readonly validFrom: number
  /** The thumbprint of the certificate that it is bound to (RFC 8705 §3.1). */
  readonly certificateThumbprint: string | undefined
}

/** How far the clocks of two machines may differ, in milliseconds. */
export const clockSkew = 60_000

/**
 * Reads the claims of an access token (RFC 9068 §2.2; RFC 7519 §4.1), as well as the forms that providers write them in:
 * `scp` for `scope`, and lists for texts. Fails with a problem that quotes nothing of them.
 */
export const readClaims = (
  claims: Fields,
  { groupsClaim, subjectClaim }: ExpectedClaims
): Result.Result<TokenClaims, string> => {
  const { aud, cnf, exp, iat, nbf } = claims
  const subject = claims[subjectClaim]
  if (!isTime(exp)) return Result.fail("The token has no `exp`, so it would never end")
  if (nbf !== undefined && !isTime(nbf)) return Result.fail("The `nbf` of the token is not a time")
  if (iat !== undefined && !isTime(iat)) return Result.fail("The `iat` of the token is not a time")
  if (!Predicate.isString(subject) || subject === "")
    return Result.fail(`The token has no \`${subjectClaim}\`, so it does not say who calls`)
  const audiences = textsOf(aud)
  if (audiences === undefined) return Result.fail("The token has no `aud`, so it does not say what it is for")
  if (isIdToken(claims))
    return Result.fail("The token is an ID token, which says who logged in, and not an access token")
  const bound = cnf === undefined ? undefined : thumbprintOf(cnf)
  if (bound === unknownBinding)
    return Result.fail(
      "The token is bound to a key of its client (`cnf`), and this gateway cannot check that the client has it"
    )
  return Result.succeed({
    subject,
    audiences,
    scopes: scopesOf(claims["scope"] ?? claims["scp"]),
    groups: textsOf(claims[groupsClaim]) ?? [],
    expiresAt: exp * 1000,
    validFrom: Math.max(nbf ?? 0, iat ?? 0) * 1000,
    certificateThumbprint: bound
  })
}

/** Seconds since the epoch (RFC 7519 §2), within the range of dates. */
export const isTime = (value: unknown): value is number =>
  Predicate.isNumber(value) && value >= 0 && value < 8.64e12

/** A text, or a list of nothing but texts. */
export const textsOf = (value: unknown): ReadonlyArray<string> | undefined => {
  if (Predicate.isString(value)) return [value]
  return Array.isArray(value) && value.every(Predicate.isString) && value.length > 0 ? value : undefined
}

/** RFC 9068 §2.2.3 has a text, others a list. */
const scopesOf = (value: unknown): ReadonlyArray<string> =>
  (textsOf(value) ?? []).flatMap((text) => text.split(" ")).filter((scope) => scope !== "")

/** OpenID Connect Core §3.1.3.6, §3.3.2.11; Amazon Cognito writes `token_use`. */
const isIdToken = (claims: Fields): boolean =>
  claims["token_use"] === "id" || claims["at_hash"] !== undefined || claims["c_hash"] !== undefined

const unknownBinding = Symbol()

const thumbprintOf = (cnf: unknown): string | typeof unknownBinding => {
  if (!Predicate.isObject(cnf)) return unknownBinding
  const entries = Object.entries(cnf)
  const thumbprint: unknown = Reflect.get(cnf, "x5t#S256")
  return entries.length === 1 && Predicate.isString(thumbprint) ? thumbprint : unknownBinding
}
