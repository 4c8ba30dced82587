import {
  asksForMoreScope,
  OAuthError,
  OAuthService,
  StepUpExhausted,
  UpstreamUnauthorized,
  type AccessTokenRequest,
  type Challenge,
  type OAuthErrorReason
} from "@secure-mcp/oauth-core"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"

/** The server took the token, whatever else it answered. */
export interface Accepted<A> {
  readonly _tag: "Accepted"
  readonly value: A
}

/** The server refused the token itself (RFC 6750 §3.1). The attempt left nothing open behind it. */
export interface Refused {
  readonly _tag: "Refused"
  /** The HTTP status it answered with. */
  readonly status: number
  /** What it said in `WWW-Authenticate`. */
  readonly challenge: Challenge | undefined
}

/** What became of one attempt with a token. */
export type AttemptOutcome<A> = Accepted<A> | Refused

export const accepted = <A>(value: A): AttemptOutcome<A> => ({ _tag: "Accepted", value })

export const refused = (status: number, challenge?: Challenge): AttemptOutcome<never> => ({
  _tag: "Refused",
  status,
  challenge
})

/** Whether an answer refuses the token: 401 does, and 403 if it asks for more scope. Any other 403 is the server's own. */
export const refusesToken = (status: number, challenge: Challenge | undefined): boolean =>
  status === 401 || (status === 403 && asksForMoreScope(challenge))

/** How often more scope is asked for in one operation. */
const maxStepUps = 3

/**
 * Makes an attempt with an access token. If the server refuses the token, the attempt is made again, so it must be
 * repeatable: once with a new token after a 401, because the old one may have been revoked, and up to three times
 * with more scope after a 403 with `insufficient_scope`.
 *
 * Works for every way of sending a request: with `HttpClient`, with undici, with a socket.
 *
 * Fails with `OAuthError` when no token is to be had, with its reason `UpstreamUnauthorized` when the fresh token is
 * refused, too, and with `StepUpExhausted` when more scope was had three times and is still asked for.
 */
export const withAccessToken = <A, E, R>(
  request: AccessTokenRequest,
  attempt: (token: Redacted.Redacted) => Effect.Effect<AttemptOutcome<A>, E, R>
): Effect.Effect<A, E | OAuthError, R | OAuthService> =>
  Effect.flatMap(OAuthService, (service) => {
    const use = (token: Redacted.Redacted, so: Replacements): Effect.Effect<A, E | OAuthError, R> =>
      Effect.flatMap(attempt(token), (outcome) =>
        outcome._tag === "Accepted" ? Effect.succeed(outcome.value) : replace(token, outcome, so)
      )
    const replace = (token: Redacted.Redacted, { challenge, status }: Refused, so: Replacements) => {
      const next = count(status, so)
      return next === undefined
        ? failWith(request, limitReached(status, challenge))
        : Effect.flatMap(service.refresh(request, { refused: token, challenge }), ({ token: renewed }) =>
            use(renewed.accessToken, next)
          )
    }
    return Effect.flatMap(service.getAccessToken(request), ({ token }) => use(token.accessToken, none))
  })

/** How often the token was replaced in this operation, and why. */
interface Replacements {
  readonly refreshes: number
  readonly stepUps: number
}

const none: Replacements = { refreshes: 0, stepUps: 0 }

const count = (status: number, { refreshes, stepUps }: Replacements): Replacements | undefined => {
  if (status === 403) return stepUps === maxStepUps ? undefined : { refreshes, stepUps: stepUps + 1 }
  return refreshes > 0 ? undefined : { refreshes: 1, stepUps }
}

const limitReached = (status: number, challenge: Challenge | undefined) =>
  status === 403
    ? new StepUpExhausted({
        attempts: maxStepUps,
        ...(challenge?.scope === undefined ? {} : { scope: challenge.scope })
      })
    : new UpstreamUnauthorized({ status })

const failWith = Effect.fnUntraced(function* (request: AccessTokenRequest, reason: OAuthErrorReason) {
  const random = yield* SecureRandom.SecureRandom
  return yield* new OAuthError({
    operation: "use the access token",
    serverName: request.serverName,
    correlationId: yield* random.uuidV4(),
    reason
  })
}, Effect.provide(SecureRandom.layerWebCrypto))
