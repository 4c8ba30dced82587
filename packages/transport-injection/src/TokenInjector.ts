import {
  OAuthError,
  OAuthService,
  UpstreamUnauthorized,
  type AccessTokenRequest
} from "@secure-mcp/oauth-core"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Match from "effect/Match"
import type * as Redacted from "effect/Redacted"

/** The server took the token, whatever else it answered. */
export interface Accepted<A> {
  readonly _tag: "Accepted"
  readonly value: A
}

/** The server refused the token itself (RFC 6750 §3.1), as 401 says. The attempt left nothing open behind it. */
export interface Refused {
  readonly _tag: "Refused"
  /** The HTTP status it answered with. */
  readonly status: number
}

/** What became of one attempt with a token. */
export type AttemptOutcome<A> = Accepted<A> | Refused

export const accepted = <A>(value: A): AttemptOutcome<A> => ({ _tag: "Accepted", value })

export const refused = (status: number): AttemptOutcome<never> => ({ _tag: "Refused", status })

/**
 * Makes an attempt with an access token. If the server refuses the token, which may have been revoked, it is
 * replaced and the attempt made once more, so an attempt must be repeatable.
 *
 * Works for every way of sending a request: with `HttpClient`, with undici, with a socket.
 *
 * Fails with `OAuthError` when no token is to be had (no attempt is made then) and with its reason
 * `UpstreamUnauthorized` when the fresh token is refused, too.
 */
export const withAccessToken = <A, E, R>(
  request: AccessTokenRequest,
  attempt: (token: Redacted.Redacted) => Effect.Effect<AttemptOutcome<A>, E, R>
): Effect.Effect<A, E | OAuthError, R | OAuthService> =>
  Effect.flatMap(OAuthService, (service) =>
    Effect.flatMap(service.getAccessToken(request), ({ token }) =>
      settle(attempt(token.accessToken), () =>
        Effect.flatMap(service.refresh(request, token.accessToken), (renewed) =>
          settle(attempt(renewed.token.accessToken), (status) => failUnauthorized(request, status))
        )
      )
    )
  )

const settle = <A, E, R, E2, R2>(
  attempt: Effect.Effect<AttemptOutcome<A>, E, R>,
  onRefused: (status: number) => Effect.Effect<A, E2, R2>
): Effect.Effect<A, E | E2, R | R2> =>
  Effect.flatMap(
    attempt,
    Match.valueTags({
      Accepted: ({ value }: Accepted<A>) => Effect.succeed(value),
      Refused: ({ status }: Refused) => onRefused(status)
    })
  )

const failUnauthorized = Effect.fnUntraced(function* (request: AccessTokenRequest, status: number) {
  const random = yield* SecureRandom.SecureRandom
  return yield* new OAuthError({
    operation: "use the access token",
    serverName: request.serverName,
    correlationId: yield* random.uuidV4(),
    reason: new UpstreamUnauthorized({ status })
  })
}, Effect.provide(SecureRandom.layerWebCrypto))
