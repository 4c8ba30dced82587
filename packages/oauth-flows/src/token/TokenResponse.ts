import { InsufficientScope, OAuthToken } from "@secure-mcp/oauth-core"
import type { OAuthConfig, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import type { HttpClientError } from "effect/http/HttpClientError"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { isFilled, readAnswerFields, unusableAnswer } from "../endpoint/AnswerFields.ts"
import type { Endpoint } from "../endpoint/Endpoint.ts"
import type { Refuse } from "../endpoint/ErrorResponse.ts"
import type { ResponseFields } from "../endpoint/ResponseFields.ts"
import { type Scope, scopeNames } from "../resolution/Scope.ts"
import { tokenLife } from "./TokenLife.ts"

export interface TokenResponseContext {
  readonly config: OAuthConfig
  readonly endpoint: Endpoint
  /** When the token was asked for, in milliseconds since the epoch. */
  readonly issuedAt: number
  /** What was granted if the answer does not say. */
  readonly scope: Scope
}

/** Makes a token of a successful answer (RFC 6749 §5.1), and of every deviation from it that real servers send. */
export const readTokenResponse =
  (context: TokenResponseContext) =>
  (
    response: HttpClientResponse,
    refuse: Refuse
  ): Effect.Effect<OAuthToken, OAuthErrorReason | HttpClientError> =>
    readAnswerFields(context.endpoint)(response, refuse).pipe(
      Effect.flatMap((fields) =>
        Effect.fromResult(readToken(fields, context)).pipe(
          Effect.catch((problem) => unusableAnswer(context.endpoint, problem))
        )
      ),
      Effect.flatMap((token) => withRequestedScopes(token, context.config))
    )

const readToken = (
  fields: ResponseFields,
  { config, issuedAt, scope: requested }: TokenResponseContext
): Result.Result<OAuthToken, string> =>
  Result.gen(function* () {
    const accessToken = yield* readAccessToken(fields["access_token"])
    const tokenType = yield* readTokenType(fields["token_type"])
    const scope =
      (yield* readScope(fields["scope"])) ?? (requested === undefined ? undefined : scopeNames(requested))
    const refreshToken = fields["refresh_token"]
    return new OAuthToken({
      accessToken: Redacted.make(accessToken),
      tokenType,
      ...(scope === undefined ? {} : { scope }),
      ...(isFilled(refreshToken) ? { refreshToken: Redacted.make(refreshToken) } : {}),
      issuedAt,
      ...tokenLife({ config, issuedAt, accessToken, expiresIn: fields["expires_in"] })
    })
  })

const readAccessToken = (value: unknown): Result.Result<string, string> => {
  if (value === undefined) return Result.fail("it has no `access_token`")
  if (!Predicate.isString(value)) return Result.fail("its `access_token` is not text")
  if (value === "") return Result.fail("its `access_token` is empty")
  return /^[\x21-\x7E]+$/.test(value)
    ? Result.succeed(value)
    : Result.fail("its `access_token` has characters that cannot stand in a header")
}

/** RFC 6749 §7.1: a token of a type one does not know must not be used. */
const readTokenType = (value: unknown): Result.Result<"Bearer", string> =>
  value === undefined || value === null || (Predicate.isString(value) && value.toLowerCase() === "bearer")
    ? Result.succeed("Bearer")
    : Result.fail("its `token_type` is not Bearer")

/** Scope names separated by spaces (§3.3), or as some servers send them, a list. Absent: as requested (§5.1). */
const readScope = (value: unknown): Result.Result<ReadonlyArray<string> | undefined, string> => {
  if (value === undefined || value === null) return Result.succeed(undefined)
  const texts = Array.isArray(value) ? value : [value]
  return texts.every(Predicate.isString)
    ? Result.succeed([...new Set(texts.flatMap((text) => text.split(/\s+/)).filter(isScopeName))])
    : Result.fail("its `scope` is neither text nor a list of texts")
}

const isScopeName = (name: string): boolean => /^[\x21\x23-\x5B\x5D-\x7E]+$/.test(name)

const withRequestedScopes = (
  token: OAuthToken,
  { scope, validateScopes }: OAuthConfig
): Effect.Effect<OAuthToken, OAuthErrorReason> => {
  const missing = (scope?.split(" ") ?? []).filter((name) => token.scope?.includes(name) !== true)
  return validateScopes && missing.length > 0
    ? Effect.fail(new InsufficientScope({ missing }))
    : Effect.succeed(token)
}
