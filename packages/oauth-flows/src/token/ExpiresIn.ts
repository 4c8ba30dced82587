import { isPersonalGrant } from "@secure-mcp/oauth-core"
import type { OAuthConfig } from "@secure-mcp/oauth-core"
import * as Predicate from "effect/Predicate"
import { jwtClaims } from "./JwtClaims.ts"

/** Ten years, in seconds. A longer lifetime is cut to this. */
const maxLifetime = 10 * 365 * 24 * 60 * 60

/**
 * When a token expires: by `expires_in`, else `default_expires_in`, else the `exp` of a JWT. Without any of them the
 * client's own token is used once, and the token of a person's grant until the server refuses it. A token with a
 * lifetime of zero or less is not reused; for a person's, `default_expires_in` decides then, too.
 */
export const expiryOf = (answer: {
  readonly config: Pick<OAuthConfig, "defaultExpiresIn" | "grantType">
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
  readonly accessToken: string
  /** The field of the answer, as it came. */
  readonly expiresIn: unknown
}): { readonly reusable: boolean; readonly expiresAt?: number } => {
  const { accessToken, config, issuedAt } = answer
  const isPersonal = isPersonalGrant(config.grantType)
  const stated = readSeconds(answer.expiresIn)
  const seconds =
    (isPersonal && stated !== undefined && stated <= 0 ? (config.defaultExpiresIn ?? stated) : stated) ??
    config.defaultExpiresIn ??
    secondsToExpiryOf(accessToken, issuedAt)
  if (seconds === undefined) return { reusable: isPersonal }
  const lifetime = Math.min(Math.max(seconds, 0), maxLifetime)
  return { reusable: lifetime > 0, expiresAt: issuedAt + Math.floor(lifetime * 1000) }
}

/** A number, or its digits as text. Anything else says nothing. */
export const readSeconds = (value: unknown): number | undefined => {
  if (Predicate.isString(value) && /^\s*[+-]?\d+(?:\.\d+)?\s*$/.test(value)) return Number(value)
  return Predicate.isNumber(value) ? value : undefined
}

/** RFC 7519 §4.1.4 */
const secondsToExpiryOf = (accessToken: string, issuedAt: number): number | undefined => {
  const exp = jwtClaims(accessToken)?.["exp"]
  return Predicate.isNumber(exp) && Number.isFinite(exp) ? exp - issuedAt / 1000 : undefined
}
