import {
  asksForMoreScope,
  AuthorizationRequired,
  isPersonalGrant,
  OAuthError,
  OAuthService,
  StepUpExhausted,
  UpstreamUnauthorized,
  type AccessTokenRequest,
  type CachedToken,
  type Challenge,
  type OAuthErrorReason,
  type OAuthToken
} from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { AttemptOutcome, Refused } from "./AttemptOutcome.ts"
import { type EndedGrants, type EndOfGrant, makeEndedGrants } from "./EndedGrants.ts"
import { type ForcedRefreshes, makeForcedRefreshes } from "./ForcedRefreshes.ts"
import type { ServerEntry } from "./ServerEntry.ts"

/** An attempt that was made with a token already, and its outcome. */
export interface FirstAttempt<A, E, R> {
  readonly token: OAuthToken
  readonly outcome: Effect.Effect<AttemptOutcome<A>, E, R>
}

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
    ...(entry.userAgent === undefined ? {} : { userAgent: entry.userAgent }),
    ...(entry.proxies === undefined ? {} : { proxies: entry.proxies })
  }
}

/**
 * Sends access tokens to MCP servers through any client: `HttpClient`, undici, or a child process.
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
 *       const sent = token === undefined ? {} : { authorization: `Bearer ${Redacted.value(token)}` }
 *       const { body, headers, status } = await fetch(url, { headers: sent, redirect: "manual" })
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
     * new token after a 401, because the old one may have been revoked, and up to twice with more scope after a
     * 403 with `insufficient_scope`. After a refusal that is not `repeatable`, the token is replaced for the next
     * request, and the attempt is not made again.
     *
     * The token that came of a 401 is not replaced again for 30 seconds, or once if the server had accepted it: if the
     * server refuses it meanwhile, `UpstreamUnauthorized` is the reason at once, and the authorization server is not
     * asked.
     *
     * Where a person has to log in first, the attempt is made without a token: not every server asks for one, nor for
     * every message. Only if the server refuses that is `AuthorizationRequired` the reason.
     *
     * A token that expired on its way to the server is renewed as usual, and the attempt made again, at most twice: its
     * refusal says nothing about the grant.
     *
     * A person's grant whose new token is refused as well has ended, and is removed. If the token of the next login is
     * refused, too, `UpstreamUnauthorized` is the reason, and nobody is asked to log in for ten minutes.
     *
     * Fails with the attempt's own error, and with an `OAuthError`: there is no token, or, with the reason
     * `UpstreamUnauthorized`, the server refused the new token too, or refused one and the request cannot be repeated;
     * with `StepUpExhausted`, the server asked for more scope a third time.
     */
    readonly use: <A, E, R>(
      request: AccessTokenRequest,
      attempt: (token: Redacted.Redacted | undefined) => Effect.Effect<AttemptOutcome<A>, E, R>
    ) => Effect.Effect<A, E | OAuthError, R>
    /**
     * The token that `use` would make its first attempt with, without a fiber: undefined if one has to be obtained or
     * looked for. For callers that make the first attempt themselves, and then call `settle` or `useAfter`.
     */
    readonly peek: (request: AccessTokenRequest) => OAuthToken | undefined
    /** Takes note that the server accepted the token that `peek` gave. */
    readonly settle: (request: AccessTokenRequest, token: OAuthToken) => void
    /** Goes on as `use` does, after a first attempt with the token that `peek` gave. */
    readonly useAfter: <A, E, R>(
      request: AccessTokenRequest,
      first: FirstAttempt<A, E, R>,
      attempt: (token: Redacted.Redacted | undefined) => Effect.Effect<AttemptOutcome<A>, E, R>
    ) => Effect.Effect<A, E | OAuthError, R>
    /**
     * Replaces a token that the server refused, for the next request. For a caller that hands a refusal on; `use`
     * does this by itself. Gives the current token if it is another one already, or is not yet to be replaced again.
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

const make = (service: Service) => {
  const forced = makeForcedRefreshes()
  const endedGrants = makeEndedGrants()
  const settle = (request: AccessTokenRequest, { accessToken }: OAuthToken) => {
    endedGrants.accept(request, accessToken)
    forced.accept(request, accessToken)
  }
  const useFrom = makeUseFrom(service, endedGrants, forced, settle)
  return TokenInjector.of({
    use: (request, attempt) => useFrom(request, undefined, attempt),
    useAfter: useFrom,
    settle,
    peek: service.peek,

    replace: Effect.fnUntraced(function* (request, token, challenge) {
      if (asksForMoreScope(challenge)) return yield* service.refresh(request, { refused: token, challenge })
      const recent = yield* forced.recent(request, { accessToken: token })
      if (recent !== undefined) return { token: recent, source: "cache" }
      return yield* Effect.tap(service.refresh(request, { refused: token, challenge }), (renewed) =>
        forced.note(request, renewed)
      )
    }),

    tokenFor: (entry, owner) => {
      const request = accessTokenRequest(entry, owner)
      return request === undefined ? Effect.undefined : service.getAccessToken(request)
    }
  })
}

const makeUseFrom =
  (
    service: Service,
    endedGrants: EndedGrants,
    forced: ForcedRefreshes,
    settle: (request: AccessTokenRequest, token: OAuthToken) => void
  ) =>
  <A, E, R>(
    request: AccessTokenRequest,
    first: FirstAttempt<A, E, R> | undefined,
    attempt: (token: Redacted.Redacted | undefined) => Effect.Effect<AttemptOutcome<A>, E, R>
  ): Effect.Effect<A, E | OAuthError, R> => {
    const isPersonal = isPersonalGrant(request.config.grantType)

    const use = (token: OAuthToken, before: Replacements) => goOn(token, attempt(token.accessToken), before)

    const goOn = (
      token: OAuthToken,
      attempted: Effect.Effect<AttemptOutcome<A>, E, R>,
      before: Replacements
    ): Effect.Effect<A, E | OAuthError, R> =>
      Effect.flatMap(attempted, (outcome) => {
        if (outcome._tag === "Refused") return useAnother(token, outcome, before)
        settle(request, token)
        return Effect.succeed(outcome.value)
      })

    const useAnother = Effect.fnUntraced(function* (
      token: OAuthToken,
      refusal: Refused,
      before: Replacements
    ): Effect.fn.Return<A, E | OAuthError, R> {
      const wantsScope = asksForMoreScope(refusal.challenge)
      if (!wantsScope && (yield* hasExpired(token))) {
        const { repeatable, status } = refusal
        if (!repeatable) return yield* failWith(request, new UpstreamUnauthorized({ status, repeatable }))
        if (before.expiries === maxExpiries)
          return yield* failWith(request, new UpstreamUnauthorized({ status }))
        const { token: current } = yield* service
          .getAccessToken(request)
          .pipe(Effect.catchIf(isLoginNeeded, () => failWith(request, loginNeeded(refusal))))
        if (!current.isAccessToken(token.accessToken))
          return yield* use(current, { ...before, expiries: before.expiries + 1 })
      }
      if (!wantsScope && isPersonal && (yield* endedGrants.isLoginUseless(request)))
        return yield* failWith(request, loginUseless(refusal))
      const first = before.first ?? token
      const replacements = countRefusal(refusal, before)
      if (replacements === undefined) {
        return yield* wantsScope || !isPersonal
          ? failWith(request, limitReached(refusal))
          : endGrant({ first, last: token }, refusal)
      }
      if (!wantsScope && (yield* forced.recent(request, token)) !== undefined)
        return yield* failWith(request, limitReached(refusal))
      const renewed = yield* service
        .refresh(request, { refused: token.accessToken, challenge: refusal.challenge })
        .pipe(
          Effect.catchIf(
            (error) => isLoginNeeded(error) && !wantsScope && token.refreshToken === undefined,
            () => endGrant({ first, last: token }, refusal)
          )
        )
      if (!wantsScope) yield* forced.note(request, renewed)
      return yield* refusal.repeatable
        ? use(renewed.token, { ...replacements, first })
        : failWith(request, new UpstreamUnauthorized({ status: refusal.status, repeatable: false }))
    })

    const endGrant = Effect.fnUntraced(function* (grant: EndOfGrant, refusal: Refused) {
      const outcome = yield* endedGrants.end(request, grant)
      if (outcome === "LoginUseless") return yield* failWith(request, loginUseless(refusal))
      if (outcome === "First") {
        yield* Effect.logWarning(
          `The MCP server "${request.serverName}" refused a fresh token with HTTP ${refusal.status}. The grant has ended`
        )
        forced.forget(request)
        yield* remove(grant.last)
      }
      return yield* failWith(request, loginNeeded(refusal))
    })

    /** Removes the token, unless a login or another process has replaced it. */
    const remove = (token: OAuthToken) =>
      Effect.matchEffect(service.getAccessToken(request), {
        onSuccess: (current) =>
          current.token.isAccessToken(token.accessToken) ? service.invalidate(request) : Effect.void,
        onFailure: () => Effect.void
      })

    const useNone = Effect.fnUntraced(function* (error: OAuthError): Effect.fn.Return<A, E | OAuthError, R> {
      const outcome = yield* attempt(undefined)
      if (outcome._tag === "Accepted") return outcome.value
      if (yield* endedGrants.isLoginUseless(request)) return yield* failWith(request, loginUseless(outcome))
      const { correlationId, operation, serverName } = error
      return yield* OAuthError.fail({ correlationId, operation, serverName, reason: loginNeeded(outcome) })
    })

    const begin = () =>
      Effect.matchEffect(service.getAccessToken(request), {
        onSuccess: ({ token }) => use(token, none),
        onFailure: (error) => (isPersonal && isLoginNeeded(error) ? useNone(error) : Effect.fail(error))
      })
    return Effect.withSpan(
      first === undefined ? begin() : goOn(first.token, first.outcome, none),
      "TokenInjector.use"
    )
  }

/** If it expired on its way, its refusal says nothing about the grant. */
const hasExpired = ({ expiresAt }: OAuthToken): Effect.Effect<boolean> =>
  Effect.map(Clock.currentTimeMillis, (now) => expiresAt !== undefined && now >= expiresAt)

/** How often the token was replaced in this operation, and why. */
interface Replacements {
  /** The token that the operation began with; undefined while there is no other. */
  readonly first: OAuthToken | undefined
  readonly refreshes: number
  readonly stepUps: number
  /** How often the token expired on its way to the server. */
  readonly expiries: number
}

const none: Replacements = { first: undefined, refreshes: 0, stepUps: 0, expiries: 0 }

/** How often one operation goes on with another token because the last one expired on its way. */
const maxExpiries = 2

/** How many tokens one operation is tried with when the server asks for more scope, the first included. */
const maxAuthorizations = 3

/** The replacements with one more for this refusal; undefined if the limit is reached. */
const countRefusal = ({ challenge }: Refused, before: Replacements): Replacements | undefined => {
  if (asksForMoreScope(challenge))
    return before.stepUps + 1 === maxAuthorizations ? undefined : { ...before, stepUps: before.stepUps + 1 }
  return before.refreshes > 0 ? undefined : { ...before, refreshes: 1 }
}

const limitReached = ({ challenge, status }: Refused) =>
  asksForMoreScope(challenge)
    ? new StepUpExhausted({
        attempts: maxAuthorizations,
        ...(challenge?.scope === undefined ? {} : { scope: challenge.scope })
      })
    : new UpstreamUnauthorized({ status })

const loginUseless = ({ status }: Refused) => new UpstreamUnauthorized({ status, afterLogin: true })

const loginNeeded = ({ challenge }: Refused) =>
  new AuthorizationRequired(challenge === undefined ? {} : { challenge })

const isLoginNeeded = ({ reason }: OAuthError): boolean => reason._tag === "AuthorizationRequired"

const failWith = ({ serverName }: AccessTokenRequest, reason: OAuthErrorReason) =>
  OAuthError.fail({ operation: "use the access token", serverName, reason })
