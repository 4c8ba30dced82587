import {
  AuthorizationRequired,
  decodeOAuthConfig,
  OAuthError,
  OAuthService,
  OAuthToken,
  type AccessTokenRequest,
  type CachedToken
} from "@secure-mcp/oauth-core"
import { accepted, refused, TokenInjector } from "@secure-mcp/transport-injection"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { wireOAuth } from "./ScriptedOAuthService.ts"

const personalConfig = Result.getOrThrow(
  decodeOAuthConfig({ enabled: true, grant_type: "authorization_code" })
)

const machineConfig = Result.getOrThrow(decodeOAuthConfig(wireOAuth))

export const personalRequest = (subject: string): AccessTokenRequest => ({
  serverName: "remote",
  subject,
  config: personalConfig
})

export const machineRequest = (serverName = "remote"): AccessTokenRequest => ({
  serverName,
  config: machineConfig
})

const ownerOf = ({ serverName, subject }: AccessTokenRequest) => subject ?? serverName

export interface Tokens {
  readonly layer: Layer.Layer<TokenInjector | OAuthService>
  /** A login, or another process that has renewed a token. */
  readonly issue: (owner: string) => Effect.Effect<CachedToken>
  /** For whom a token was renewed. */
  readonly refreshes: ReadonlyArray<string>
  /** A renewal waits for this. */
  whileRefreshing: Effect.Effect<void>
}

/**
 * Tokens `alice-1`, `alice-2` and so on, as `OAuthService` gives them: a refresh gives the current token if another one
 * was refused, all who wait for one renewal get the same token, and what is not removed stays.
 */
export const makeTokens = ({ refreshable = true }: { readonly refreshable?: boolean } = {}): Tokens => {
  const current = new Map<string, OAuthToken>()
  const issued = new Map<string, number>()
  const refreshes: Array<string> = []
  const renewals = new Map<string, Deferred.Deferred<CachedToken, OAuthError>>()
  const issue = (owner: string) =>
    Effect.map(Clock.currentTimeMillis, (issuedAt): CachedToken => {
      const number = (issued.get(owner) ?? 0) + 1
      issued.set(owner, number)
      const token = new OAuthToken({
        accessToken: Redacted.make(`${owner}-${number}`),
        tokenType: "Bearer",
        issuedAt,
        reusable: true,
        ...(refreshable ? { refreshToken: Redacted.make(`refresh-${owner}-${number}`) } : {})
      })
      current.set(owner, token)
      return { token, source: "acquired" }
    })
  const loginNeeded = OAuthError.fail({
    operation: "get an access token",
    serverName: "remote",
    correlationId: "1",
    reason: new AuthorizationRequired({})
  })
  const service = Layer.succeed(OAuthService, {
    peek: (request) => current.get(ownerOf(request)),
    getAccessToken: (request) =>
      Effect.suspend((): Effect.Effect<CachedToken, OAuthError> => {
        const token = current.get(ownerOf(request))
        return token === undefined ? loginNeeded : Effect.succeed({ token, source: "cache" })
      }),
    refresh: (request, { refused: refusedToken } = {}) =>
      Effect.suspend((): Effect.Effect<CachedToken, OAuthError> => {
        const owner = ownerOf(request)
        const token = current.get(owner)
        if (token !== undefined && refusedToken !== undefined && !token.isAccessToken(refusedToken))
          return Effect.succeed({ token, source: "cache" })
        if (token?.refreshToken === undefined) return loginNeeded
        const running = renewals.get(owner)
        if (running !== undefined) return Deferred.await(running)
        refreshes.push(owner)
        const renewal = Deferred.makeUnsafe<CachedToken, OAuthError>()
        renewals.set(owner, renewal)
        return tokens.whileRefreshing.pipe(
          Effect.andThen(issue(owner)),
          Effect.onExit((exit) => {
            renewals.delete(owner)
            return Deferred.done(renewal, exit)
          })
        )
      }),
    find: () => Effect.die("not used here"),
    invalidate: (request) => Effect.sync(() => void current.delete(ownerOf(request))),
    authorize: () => Effect.die("not used here"),
    completeAuthorization: () => Effect.die("not used here"),
    authorizeDevice: () => Effect.die("not used here"),
    revoke: () => Effect.die("not used here")
  })
  const tokens: Tokens = {
    layer: Layer.provideMerge(TokenInjector.layer, service),
    issue,
    refreshes,
    whileRefreshing: Effect.void
  }
  return tokens
}

/**
 * What a request came to: the token that the server took, "open" without one, or the tag of the reason, with "afterLogin"
 * if that says so.
 */
export const call = (
  request: AccessTokenRequest,
  takes: (token: string | undefined) => boolean | Effect.Effect<boolean>
): Effect.Effect<string, never, TokenInjector> =>
  TokenInjector.use((injector) =>
    injector.use(request, (token) => {
      const text = token && Redacted.value(token)
      const isTaken = takes(text)
      return Effect.map(typeof isTaken === "boolean" ? Effect.succeed(isTaken) : isTaken, (taken) =>
        taken ? accepted(text ?? "open") : refused(401, { error: "invalid_token" })
      )
    })
  ).pipe(
    Effect.catch(({ reason }) =>
      Effect.succeed(
        reason._tag === "UpstreamUnauthorized" && reason.afterLogin === true
          ? `${reason._tag} afterLogin`
          : reason._tag
      )
    )
  )

export const takesNothing = () => false

/** An answer of a server that takes its time. */
export interface SlowAnswer {
  /** Waits until `give`. */
  readonly answer: Effect.Effect<boolean>
  /** Done when the server was asked. */
  readonly asked: Effect.Effect<void>
  readonly give: (isTaken: boolean) => Effect.Effect<void>
}

export const makeSlowAnswer = Effect.gen(function* () {
  const [asked, given] = [yield* Deferred.make<void>(), yield* Deferred.make<boolean>()]
  const slow: SlowAnswer = {
    answer: Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(given)),
    asked: Deferred.await(asked),
    give: (isTaken) => Effect.asVoid(Deferred.succeed(given, isTaken))
  }
  return slow
})
