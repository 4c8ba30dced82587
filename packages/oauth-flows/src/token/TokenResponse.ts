import { InsufficientScope, InvalidResponse, isPersonalGrant, OAuthToken } from "@secure-mcp/oauth-core"
import type { OAuthConfig, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { Answer } from "../endpoint/Answer.ts"
import type { Endpoint } from "../endpoint/Endpoint.ts"
import type { Refuse } from "../endpoint/ErrorResponse.ts"
import type { ResponseFields } from "../endpoint/ResponseBody.ts"
import { isFilled, readSuccessFields } from "../endpoint/SuccessResponse.ts"
import { requiredNames, type Scope, scopeNames } from "../resolution/Scope.ts"
import { expiryOf } from "./ExpiresIn.ts"

/** A successful answer of the token endpoint (RFC 6749 §5.1). */
export interface TokenResponse {
  /** What was granted. The access token is empty if the answer has none that is text. */
  readonly token: OAuthToken
  /** Why the access token must not be served, if that is so. The refresh token may be good all the same. */
  readonly problem: OAuthErrorReason | undefined
}

export interface TokenResponseContext {
  readonly config: OAuthConfig
  readonly endpoint: Endpoint
  /** When the token was requested, in milliseconds since the epoch. */
  readonly issuedAt: number
  /** What was granted if the answer does not say. */
  readonly scope: Scope
}

/** Reads a successful answer, with every deviation from RFC 6749 §5.1 that real servers have. */
export const readTokenResponse =
  (context: TokenResponseContext) =>
  (answer: Answer, refuse: Refuse): Effect.Effect<TokenResponse, OAuthErrorReason> =>
    Effect.map(readSuccessFields(context.endpoint)(answer, refuse), (fields) =>
      readToken(fields, context, refuse)
    )

const readToken = (
  fields: ResponseFields,
  { config, endpoint, issuedAt, scope: requested }: TokenResponseContext,
  { mayHoldSecret }: Refuse
): TokenResponse => {
  const { access_token: accessToken, expires_in: expiresIn, refresh_token: refreshToken } = fields
  const text = Predicate.isString(accessToken) ? accessToken : ""
  const answered = readScope(fields["scope"], scopeNames(requested), config)
  const granted = Result.getOrUndefined(answered)
  const scope =
    granted === undefined
      ? requested === undefined
        ? undefined
        : scopeNames(requested)
      : withoutSecrets(granted, scopeNames(requested), mayHoldSecret)
  const token = new OAuthToken({
    accessToken: Redacted.make(text),
    tokenType: "Bearer",
    ...(scope === undefined ? {} : { scope }),
    ...(isFilled(refreshToken) ? { refreshToken: Redacted.make(refreshToken) } : {}),
    issuedAt,
    ...expiryOf({ config, issuedAt, accessToken: text, expiresIn })
  })
  const problem =
    accessTokenProblem(accessToken) ??
    tokenTypeProblem(fields["token_type"]) ??
    (Result.isFailure(answered) ? answered.failure : undefined) ??
    lifetimeProblem(token, config)
  return {
    token,
    problem:
      problem === undefined
        ? missingScope(token, config)
        : new InvalidResponse({ endpoint: endpoint.name, problem })
  }
}

const accessTokenProblem = (value: unknown): string | undefined => {
  if (value === undefined) return "it has no `access_token`"
  if (!Predicate.isString(value)) return "its `access_token` is not text"
  if (value === "") return "its `access_token` is empty"
  return /^[\x21-\x7E]+$/.test(value)
    ? undefined
    : "its `access_token` has characters that cannot stand in a header"
}

/** A person would log in again and again for such a token. */
const lifetimeProblem = (
  { expiresAt, reusable }: OAuthToken,
  { grantType }: OAuthConfig
): string | undefined =>
  isPersonalGrant(grantType) && expiresAt !== undefined && !reusable
    ? "its `expires_in` is zero or less: the access token has expired already. If that is wrong, set `default_expires_in`"
    : undefined

/** RFC 6749 §7.1: a client must not use a token whose type it does not know. */
const tokenTypeProblem = (value: unknown): string | undefined =>
  value === undefined || value === null || (Predicate.isString(value) && value.toLowerCase() === "bearer")
    ? undefined
    : "its `token_type` is not Bearer"

/**
 * Scope names separated by spaces (§3.3), or as some servers send them, a list. Absent: as requested (§5.1). Commas
 * separate names, too, where the configuration says so or where only then a name is one that was requested.
 */
const readScope = (
  value: unknown,
  requested: ReadonlyArray<string>,
  { scopeSeparator }: OAuthConfig
): Result.Result<ReadonlyArray<string> | undefined, string> => {
  if (value === undefined || value === null) return Result.succeed(undefined)
  const texts = Array.isArray(value) ? value : [value]
  if (!texts.every(Predicate.isString)) return Result.fail("its `scope` is neither text nor a list of texts")
  const split = (separator: RegExp) => [
    ...new Set(texts.flatMap((text) => text.split(separator)).filter(isScopeName))
  ]
  const known = (names: ReadonlyArray<string>) => names.filter((name) => requested.includes(name)).length
  const [spaced, commas] = [split(/\s+/), split(/[\s,]+/)]
  return Result.succeed(scopeSeparator === "," || known(commas) > known(spaced) ? commas : spaced)
}

/** A scope is shown and logged. A server that repeats a secret in it loses the names that nobody requested. */
const withoutSecrets = (
  granted: ReadonlyArray<string>,
  requested: ReadonlyArray<string>,
  mayHoldSecret: Refuse["mayHoldSecret"]
): ReadonlyArray<string> => {
  const known = new Set(requested)
  const others = granted.filter((name) => !known.has(name))
  return others.length > 0 && mayHoldSecret(others.join(" "))
    ? granted.filter((name) => known.has(name))
    : granted
}

const isScopeName = (name: string): boolean => /^[\x21\x23-\x5B\x5D-\x7E]+$/.test(name)

const missingScope = (
  token: OAuthToken,
  { scope, validateScopes }: OAuthConfig
): InsufficientScope | undefined => {
  const missing = requiredNames(scope).filter((name) => token.scope?.includes(name) !== true)
  return validateScopes && missing.length > 0 ? new InsufficientScope({ missing }) : undefined
}
