import {
  asksForMoreScope,
  OAuthError,
  OAuthService,
  StepUpExhausted,
  UpstreamUnauthorized,
  type AccessTokenRequest,
  type CachedToken,
  type Challenge,
  type OAuthErrorReason
} from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { ServerEntry } from "./ServerEntry.ts"

/** The MCP server accepted the token, whatever else it answered. */
export interface Accepted<A> {
  readonly _tag: "Accepted"
  /** What `TokenInjector.use` succeeds with. */
  readonly value: A
}

/** The MCP server refused the token itself (RFC 6750 §3.1). The attempt left no response open. */
export interface Refused {
  readonly _tag: "Refused"
  /** The HTTP status of the answer: 401 or 403. */
  readonly status: number
  /** The `WWW-Authenticate: Bearer` of the answer, if it had one. */
  readonly challenge: Challenge | undefined
  /** Whether the attempt can be made again; false if its body is gone. */
  readonly repeatable: boolean
}

/** The result of one attempt with a token. */
export type AttemptOutcome<A> = Accepted<A> | Refused

/** The outcome of an attempt whose token was accepted. */
export const accepted = <A>(value: A): AttemptOutcome<A> => ({ _tag: "Accepted", value })

/**
 * The outcome of an attempt whose token was refused.
 *
 * @param status the HTTP status of the answer
 * @param challenge its `WWW-Authenticate: Bearer`, from `parseChallenge`
 * @param options.repeatable false if the request cannot be sent again; default true
 */
export const refused = (
  status: number,
  challenge?: Challenge,
  { repeatable = true }: { readonly repeatable?: boolean } = {}
): AttemptOutcome<never> => ({ _tag: "Refused", status, challenge, repeatable })

/**
 * Whether an answer refuses the token (RFC 6750 §3.1): 401 does, and 403 with `insufficient_scope`. Any other 403 is
 * the server's own decision, which no other token changes.
 */
export const refusesToken = (status: number, challenge: Challenge | undefined): boolean =>
  status === 401 || (status === 403 && asksForMoreScope(challenge))

/** Whose tokens are used: everything in a token's key that the entry does not say. */
export type TokenOwner = Pick<AccessTokenRequest, "projectId" | "configId" | "subject">

/**
 * What to ask `OAuthService` for, so that every way to use an entry shares one token.
 *
 * @returns undefined for an entry without `oauth.enabled`
 */
export const accessTokenRequest = (
  entry: ServerEntry,
  owner: TokenOwner = {}
): AccessTokenRequest | undefined => {
  const { oauth, serverName } = entry
  if (oauth === undefined) return undefined
  const { configId, projectId, subject } = owner
  return {
    serverName,
    config: oauth,
    projectId,
    configId,
    subject,
    ...(entry._tag === "Http" ? { resourceUrl: entry.url } : {}),
    ...(entry.userAgent === undefined ? {} : { userAgent: entry.userAgent })
  }
}

/**
 * Brings access tokens to MCP servers, whatever sends the requests: `HttpClient`, undici, or a child process.
 *
 * @example
 * ```ts
 * import { parseChallenge, type AccessTokenRequest } from "@secure-mcp/oauth-core"
 * import { accepted, refused, refusesToken, TokenInjector } from "@secure-mcp/transport-injection"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const statusOf = Effect.fn(function* (request: AccessTokenRequest, url: string) {
 *   const injector = yield* TokenInjector
 *   return yield* injector.use(request, (token) =>
 *     Effect.promise(async () => {
 *       const authorization = `Bearer ${Redacted.value(token)}`
 *       const { body, headers, status } = await fetch(url, { headers: { authorization }, redirect: "manual" })
 *       await body?.cancel()
 *       const challenge = parseChallenge(headers.get("www-authenticate") ?? undefined)
 *       return refusesToken(status, challenge) ? refused(status, challenge) : accepted(status)
 *     })
 *   )
 * })
 * ```
 */
export class TokenInjector extends Context.Service<
  TokenInjector,
  {
    /**
     * Makes an attempt with an access token. If the server refuses the token, the attempt is made again: once with a
     * new token after a 401, because the old one may have been revoked, and up to three times with more scope after a
     * 403 with `insufficient_scope`. After a refusal that is not `repeatable`, the token is replaced for the next
     * request, and the attempt is not made again.
     *
     * Fails with the attempt's own error, and with an `OAuthError`: there is no token, or, with the reason
     * `UpstreamUnauthorized`, the server refused the new token too, or refused one and the request cannot be repeated;
     * with `StepUpExhausted`, the server asked for more scope a fourth time.
     */
    readonly use: <A, E, R>(
      request: AccessTokenRequest,
      attempt: (token: Redacted.Redacted) => Effect.Effect<AttemptOutcome<A>, E, R>
    ) => Effect.Effect<A, E | OAuthError, R>
    /**
     * Replaces a token that the server refused, for the next request. For a caller that hands a refusal on; `use`
     * does this by itself.
     */
    readonly replace: (
      request: AccessTokenRequest,
      token: Redacted.Redacted,
      challenge: Challenge | undefined
    ) => Effect.Effect<CachedToken, OAuthError>
    /** A token for an entry, from the cache or newly obtained; undefined for an entry without `oauth.enabled`. */
    readonly tokenFor: (
      entry: ServerEntry,
      owner?: TokenOwner
    ) => Effect.Effect<CachedToken | undefined, OAuthError>
  }
>()("@secure-mcp/transport-injection/TokenInjector") {
  /** Gets its tokens from `OAuthService`. */
  static readonly layer: Layer.Layer<TokenInjector, never, OAuthService> = Layer.effect(
    TokenInjector,
    Effect.suspend(() => Effect.map(OAuthService, make))
  )
}

type Service = (typeof OAuthService)["Service"]

const make = (service: Service) =>
  TokenInjector.of({
    use: makeUse(service),

    replace: (request, token, challenge) => service.refresh(request, { refused: token, challenge }),

    tokenFor: (entry, owner) => {
      const request = accessTokenRequest(entry, owner)
      return request === undefined ? Effect.undefined : service.getAccessToken(request)
    }
  })

const makeUse =
  (service: Service) =>
  <A, E, R>(
    request: AccessTokenRequest,
    attempt: (token: Redacted.Redacted) => Effect.Effect<AttemptOutcome<A>, E, R>
  ): Effect.Effect<A, E | OAuthError, R> => {
    const use = (token: Redacted.Redacted, before: Replacements): Effect.Effect<A, E | OAuthError, R> =>
      Effect.flatMap(attempt(token), (outcome) =>
        outcome._tag === "Accepted" ? Effect.succeed(outcome.value) : useAnother(token, outcome, before)
      )
    const useAnother = (token: Redacted.Redacted, refusal: Refused, before: Replacements) => {
      const replacements = countRefusal(refusal, before)
      if (replacements === undefined) return failWith(request, limitReached(refusal))
      return Effect.flatMap(
        service.refresh(request, { refused: token, challenge: refusal.challenge }),
        ({ token: renewed }) =>
          refusal.repeatable
            ? use(renewed.accessToken, replacements)
            : failWith(request, new UpstreamUnauthorized({ status: refusal.status, repeatable: false }))
      )
    }
    return Effect.flatMap(service.getAccessToken(request), ({ token }) => use(token.accessToken, none)).pipe(
      Effect.withSpan("TokenInjector.use")
    )
  }

/** How often the token was replaced in this operation, and why. */
interface Replacements {
  readonly refreshes: number
  readonly stepUps: number
}

const none: Replacements = { refreshes: 0, stepUps: 0 }

/** How often more scope is asked for in one operation. */
const maxStepUps = 3

/** The replacements with one more for this refusal; undefined if the limit is reached. */
const countRefusal = (
  { status }: Refused,
  { refreshes, stepUps }: Replacements
): Replacements | undefined => {
  if (status === 403) return stepUps === maxStepUps ? undefined : { refreshes, stepUps: stepUps + 1 }
  return refreshes > 0 ? undefined : { refreshes: 1, stepUps }
}

const limitReached = ({ challenge, status }: Refused) =>
  status === 403
    ? new StepUpExhausted({
        attempts: maxStepUps,
        ...(challenge?.scope === undefined ? {} : { scope: challenge.scope })
      })
    : new UpstreamUnauthorized({ status })

const failWith = ({ serverName }: AccessTokenRequest, reason: OAuthErrorReason) =>
  OAuthError.fail({ operation: "use the access token", serverName, reason })
