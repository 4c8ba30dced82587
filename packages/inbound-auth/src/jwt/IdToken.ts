import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { clockSkew, isTime, textsOf } from "./Claims.ts"
import type { Fields } from "./ParsedToken.ts"

/** What an ID token of a login must say. */
export interface ExpectedIdToken {
  readonly issuer: string
  /** Our client there. */
  readonly clientId: string
  readonly nonce: string
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly subjectClaim: string
  readonly groupsClaim: string
}

/** Who logged in. */
export interface IdTokenClaims {
  readonly subject: string
  readonly groups: ReadonlyArray<string>
}

/**
 * Checks the claims of an ID token whose signature was right (OpenID Connect Core §3.1.3.7). Fails with a problem that quotes nothing
 * of them.
 */
export const readIdToken = (
  claims: Fields,
  { clientId, groupsClaim, issuer, nonce, now, subjectClaim }: ExpectedIdToken
): Result.Result<IdTokenClaims, string> => {
  const { aud, azp, exp, iat, iss, nbf } = claims
  const audiences = textsOf(aud) ?? []
  const subject = claims[subjectClaim]
  if (iss !== issuer) return Result.fail("The ID token is of another issuer (`iss`)")
  if (!audiences.includes(clientId)) return Result.fail("The ID token is for another client (`aud`)")
  if (azp === undefined ? audiences.length > 1 : azp !== clientId)
    return Result.fail("The ID token was given to another client (`azp`)")
  if (!isTime(exp)) return Result.fail("The ID token has no `exp`")
  if (now >= exp * 1000 + clockSkew) return Result.fail("The ID token has expired")
  if ([nbf, iat].some((time) => isTime(time) && now < time * 1000 - clockSkew))
    return Result.fail("The ID token is not valid yet: its `nbf` or `iat` lies in the future")
  if (claims["nonce"] !== nonce) return Result.fail("The ID token belongs to another login (`nonce`)")
  if (!Predicate.isString(subject) || subject === "")
    return Result.fail(
      `The ID token has no \`${subjectClaim}\`, so it does not say who logged in: check \`subject_claim\``
    )
  return Result.succeed({ subject, groups: textsOf(claims[groupsClaim]) ?? [] })
}
