import * as Redacted from "effect/Redacted"

/** The token in an Authorization header (RFC 6750 section 2.1); of another scheme the whole value. */
export const bearerToken = (authorization: string | null): Redacted.Redacted<string> | undefined => {
  const token = authorization?.replace(/^Bearer +/i, "").trim()
  return token === undefined || token === "" ? undefined : Redacted.make(token)
}
