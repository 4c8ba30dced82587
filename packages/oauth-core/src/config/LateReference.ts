import * as Redacted from "effect/Redacted"
import type { OAuthConfigFields } from "./OAuthConfigFields.ts"

/** Stands for the token of the caller on whose behalf a token is obtained. It is the whole value of its key. */
export const callerTokenReference = "${caller:token}"

/** Whether a value stands for the token of the caller. */
export const isCallerToken = (secret: Redacted.Redacted | undefined): boolean =>
  secret !== undefined && Redacted.value(secret) === callerTokenReference

/** Whether each caller has a token of its own, which is obtained with the caller's. */
export const usesCallerToken = ({
  assertion,
  identityProvider,
  subjectToken
}: Pick<OAuthConfigFields, "assertion" | "identityProvider" | "subjectToken">): boolean =>
  isCallerToken(assertion) || isCallerToken(subjectToken) || isCallerToken(identityProvider?.subjectToken)

/**
 * The path of a value that is `${file:/path}` and nothing else; undefined for any other value. Keys whose tokens are
 * replaced while the process runs keep such a reference, and the file is read for each request.
 */
export const fileReference = (value: string): string | undefined =>
  /^\$\{file:(?<path>[^}]+)\}$/.exec(value)?.groups?.["path"]
