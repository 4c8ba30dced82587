import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as WebCrypto from "effect/crypto/WebCrypto"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { CorrelationId } from "./errors/CorrelationId.ts"
import type { AccessTokenRequest } from "./AccessTokenRequest.ts"
import { asksForMoreScope, type Challenge } from "./errors/Challenge.ts"
import {
  Grants,
  type AuthorizationRequest,
  type AuthorizationResponse,
  type DeviceAuthorization,
  type GrantRequest,
  type KeepGrant,
  type GrantedToken,
  type RevocationOutcome
} from "./Grants.ts"
import { OAuthError } from "./errors/OAuthError.ts"
import { OAuthEvents } from "./events/OAuthEvents.ts"
import { OAuthHttp } from "./OAuthHttp.ts"
import { OAuthToken } from "./OAuthToken.ts"
import { TokenCache, type CachedToken, type TokenCacheRequest, type TokenPeek } from "./TokenCache.ts"
import { makeFingerprintMemo } from "./FingerprintMemo.ts"
import { keySubject, subjectOf, tokenKeyOf } from "./TokenKey.ts"
import { inSpan, isTraced } from "./TracedSpan.ts"

/** Why the token that was served is not sufficient. */
export interface RefreshOptions {
  /** The access token the MCP server refused; if another one is cached by now, that one is served. */
  readonly refused?: Redacted.Redacted | undefined
  /**
   * The MCP server's challenge. With `insufficient_scope` the token stays valid for others, and more scope is requested:
   * at once for the client's own token, with `AuthorizationRequired` for a person's.
   */
  readonly challenge?: Challenge | undefined
}

/** How a login is begun. */
export interface AuthorizeOptions {
  /** Where the authorization response is to arrive. */
  readonly redirectUri: string
  /** That of `AuthorizationRequired`, so that the scope it names is requested. */
  readonly challenge?: Challenge | undefined
}

/** A login that was completed. */
export interface CompletedAuthorization {
  readonly serverName: string
  /** The person the token is for; undefined for the client's own. */
  readonly subject: string | undefined
  readonly token: OAuthToken
}

/**
 * Access tokens for MCP servers: obtained when needed, cached, renewed ahead of expiry, revoked.
 *
 * @example
 * ```ts
 * import { type OAuthConfig, OAuthService } from "@secure-mcp/oauth-core"
 * import * as Effect from "effect/Effect"
 *
 * const authorizationHeader = Effect.fnUntraced(function* (config: OAuthConfig) {
 *   const oauth = yield* OAuthService
 *   const { token } = yield* oauth.getAccessToken({ serverName: "remote", config })
 *   return token.accessToken // Redacted
 * })
 * ```
 */
export class OAuthService extends Context.Service<
  OAuthService,
  {
    /** A valid access token, from the cache or newly obtained. */
    readonly getAccessToken: (request: AccessTokenRequest) => Effect.Effect<CachedToken, OAuthError>
    /**
     * The access token that `getAccessToken` would serve from memory at once, with nothing else to do
     * (`TokenCache.peek`); undefined otherwise: then call that. Always undefined for a configuration with `use_mtls`,
     * because only a connection says which certificate its token belongs to.
     *
     * Synchronous, for what happens on every request. Give it the same object for the same server and person: what is
     * computed of a request is remembered with it.
     */
    readonly peek: (request: AccessTokenRequest) => OAuthToken | undefined
    /**
     * The token that is kept for a request (`TokenCache.find`), to be described and not to be sent: its access token may have
     * expired, as long as it has a refresh token. Obtains and renews nothing, and counts as no use.
     */
    readonly find: (request: AccessTokenRequest) => Effect.Effect<OAuthToken | undefined, OAuthError>
    /** A new access token, or the result of a renewal that is already under way. */
    readonly refresh: (
      request: AccessTokenRequest,
      options?: RefreshOptions
    ) => Effect.Effect<CachedToken, OAuthError>
    /** Begins a login. Show the person the URL, and give what comes back to `completeAuthorization`. */
    readonly authorize: (
      request: AccessTokenRequest,
      options: AuthorizeOptions
    ) => Effect.Effect<AuthorizationRequest, OAuthError>
    /** Checks an authorization response, exchanges its code and stores the token. A forged response changes nothing. */
    readonly completeAuthorization: (
      response: AuthorizationResponse
    ) => Effect.Effect<CompletedAuthorization, OAuthError>
    /** Begins a login on another device (RFC 8628). Its `token` waits for the person, and stores the token. */
    readonly authorizeDevice: (request: AccessTokenRequest) => Effect.Effect<DeviceAuthorization, OAuthError>
    /** Removes the token; the next call obtains a new one. */
    readonly invalidate: (request: AccessTokenRequest) => Effect.Effect<void, OAuthError>
    /**
     * Removes the token and tells the authorization server to revoke it (RFC 7009). It is removed even if the server
     * cannot be told. Gives undefined if there was no token.
     */
    readonly revoke: (request: AccessTokenRequest) => Effect.Effect<RevocationOutcome | undefined, OAuthError>
  }
>()("@secure-mcp/oauth-core/OAuthService") {
  /** Over the ports: flows for the grants, a cache for the tokens, and HTTP. */
  static readonly layer: Layer.Layer<OAuthService, never, Grants | TokenCache | OAuthHttp> = Layer.effect(
    OAuthService,
    Effect.suspend(() => make)
  ).pipe(Layer.provide(Digest.layerWebCrypto))
}

const make = Effect.gen(function* () {
  const grants = yield* Grants
  const cache = yield* TokenCache
  const http = yield* OAuthHttp
  const events = yield* OAuthEvents
  const crypto = yield* WebCrypto.WebCrypto
  const fingerprints = yield* makeFingerprintMemo
  const looks = new WeakMap<AccessTokenRequest, TokenPeek>()
  let lastRequest: AccessTokenRequest | undefined

  /** Node draws random bytes for many of these ids at once. */
  const newCorrelationId = Effect.map(CorrelationId, (id) => id ?? crypto.randomUUID())

  const newGrantRequest = (
    request: AccessTokenRequest,
    challenge: Challenge | undefined,
    tokenRefused = false
  ): Effect.Effect<GrantRequest> =>
    Effect.map(newCorrelationId, (correlationId) => ({
      ...request,
      correlationId,
      ...(challenge === undefined ? {} : { challenge }),
      ...(tokenRefused ? { tokenRefused } : {})
    }))

  const keyOf = Effect.fnUntraced(function* (request: AccessTokenRequest, operation: string) {
    const { proxies, serverName } = request
    const connection = yield* http
      .connection(request.config, { serverName, proxies })
      .pipe(Effect.catch((reason) => OAuthError.fail({ operation, serverName, reason })))
    return tokenKeyOf(request, yield* fingerprints.get(request, connection.certificateThumbprint))
  })

  const lookFor = (request: AccessTokenRequest): TokenPeek | undefined => {
    const fingerprint = request.config.useMtls ? undefined : fingerprints.known(request, undefined)
    return fingerprint === undefined
      ? undefined
      : { key: tokenKeyOf(request, fingerprint), expiryBuffer: expiryBufferOf(request) }
  }

  /** Many requests are made anew each time. Those remembered would only be work for the garbage collector. */
  const look = (request: AccessTokenRequest, isKept: boolean): OAuthToken | undefined => {
    const known = looks.get(request)
    const made = known ?? lookFor(request)
    if (made === undefined) return undefined
    if (known === undefined && isKept) looks.set(request, made)
    return cache.peek(made)
  }

  const acquire =
    (
      request: AccessTokenRequest,
      challenge: Challenge | undefined,
      tokenRefused: boolean
    ): TokenCacheRequest["acquire"] =>
    (previous, keep) =>
      Effect.flatMap(newGrantRequest(request, challenge, tokenRefused), (grantRequest) =>
        grants
          .acquire(grantRequest, previous, (_, token) => keep(token))
          .pipe(
            Effect.map((token) => withinCallerToken(token, request)),
            Effect.annotateLogs({
              server_name: request.serverName,
              correlation_id: grantRequest.correlationId
            })
          )
      )

  const get = (
    request: AccessTokenRequest,
    challenge: Challenge | undefined,
    renewal: Pick<TokenCacheRequest, "forceRefresh" | "refused" | "insufficient">
  ) =>
    Effect.flatMap(keyOf(request, "get an access token"), (key) =>
      cache.get({
        key,
        expiryBuffer: expiryBufferOf(request),
        acquire: acquire(request, challenge, renewal.refused !== undefined),
        ...renewal
      })
    )

  /** A login brought a refresh token beside an access token that must not be served: the next renewal needs it. */
  const storeGrant: KeepGrant = (request, token) =>
    request.consentOnly === true ? Effect.void : putGrant(request, token)

  const putGrant: KeepGrant = (request, token) =>
    Effect.flatMap(keyOf(request, "store the granted token"), (key) => cache.put(key, token)).pipe(
      // The cache has it in memory, and stores it later.
      Effect.catch((error) => Effect.logWarning(error.message)),
      Effect.uninterruptible
    )

  /** Stores what a person granted. Continues when the caller is interrupted: the grant can be redeemed only once. */
  const storeGranted = Effect.fnUntraced(function* (
    granted: Effect.Effect<GrantedToken, OAuthError>,
    requested: () => GrantRequest | undefined
  ) {
    const [duration, exit] = yield* Effect.timed(Effect.exit(granted))
    if (Exit.isFailure(exit)) {
      const error = Option.getOrUndefined(Exit.findErrorOption(exit))
      if (error !== undefined) yield* publishFailure(error, requested(), duration)
      return yield* Effect.failCause(exit.cause)
    }
    const { request, token } = exit.value
    const { serverName, subject } = request
    if (request.consentOnly === true) return { serverName, subject, token }
    const key = yield* keyOf(request, "store the granted token")
    yield* cache.put(key, token)
    yield* events.publish({
      _tag: "TokenAcquired",
      serverName,
      ...subjectOf(key),
      duration,
      refresh: false
    })
    return { serverName, subject, token }
  }, Effect.uninterruptible)

  const publishFailure = (
    { reason, serverName }: OAuthError,
    request: GrantRequest | undefined,
    duration: Duration.Duration
  ) =>
    // A response to no request of ours does not count as an acquisition.
    reason._tag === "AuthorizationResponseInvalid"
      ? Effect.void
      : events.publish({
          _tag: "AcquisitionFailed",
          serverName,
          ...subjectOf({ subject: request && keySubject(request) }),
          duration,
          refresh: false,
          reason: reason._tag
        })

  return OAuthService.of({
    peek: (request) => look(request, true),

    // A span costs more than the look into memory: without a tracer nobody would see it.
    getAccessToken: (request) =>
      Effect.withFiber((fiber) => {
        const isAgain = request === lastRequest
        lastRequest = request
        const token = isTraced(fiber) ? undefined : look(request, isAgain)
        return token === undefined
          ? inSpan("OAuthService.getAccessToken")(get(request, undefined, {}))
          : Effect.succeed({ token, source: "cache" })
      }),

    find: Effect.fn("OAuthService.find")((request) =>
      Effect.flatMap(keyOf(request, "find the access token"), cache.find)
    ),

    refresh: (request, { challenge, refused } = {}) =>
      get(
        request,
        challenge,
        refused === undefined
          ? { forceRefresh: true }
          : asksForMoreScope(challenge)
            ? { insufficient: refused }
            : { refused }
      ).pipe(inSpan("OAuthService.refresh")),

    authorize: Effect.fn("OAuthService.authorize")(function* (request, { challenge, redirectUri }) {
      return yield* grants.authorize(yield* newGrantRequest(request, challenge), redirectUri)
    }),

    completeAuthorization: Effect.fn("OAuthService.completeAuthorization")((response) => {
      let request: GrantRequest | undefined
      const identified = (pending: GrantRequest) => void (request = pending)
      return storeGranted(grants.redeem(response, storeGrant, identified), () => request)
    }),

    authorizeDevice: Effect.fn("OAuthService.authorizeDevice")(function* (request) {
      const grantRequest = yield* newGrantRequest(request, undefined)
      const device = yield* grants.authorizeDevice(grantRequest, storeGrant)
      const granted = Effect.map(device.token, (token) => ({ request: grantRequest, token }))
      const stored = storeGranted(granted, () => grantRequest)
      return { ...device, token: Effect.map(stored, ({ token }) => token) }
    }),

    invalidate: Effect.fn("OAuthService.invalidate")((request) =>
      keyOf(request, "invalidate the access token").pipe(Effect.flatMap(cache.invalidate), Effect.asVoid)
    ),

    revoke: Effect.fn("OAuthService.revoke")(function* (request) {
      const key = yield* keyOf(request, "revoke the access token")
      const grantRequest = yield* newGrantRequest(request, undefined)
      return yield* cache.revoke(key, (token) =>
        Effect.tap(grants.revoke(grantRequest, token), (outcome) =>
          outcome === "Revoked"
            ? events.publish({
                _tag: "TokenRevoked",
                serverName: request.serverName,
                ...subjectOf(key)
              })
            : Effect.void
        )
      )
    })
  })
})

/** What was obtained with the token of a caller is not renewed ahead of its end. */
const expiryBufferOf = ({ callerToken, config }: AccessTokenRequest): Duration.Duration =>
  callerToken === undefined ? Duration.seconds(config.tokenExpiryBuffer) : Duration.zero

/** What was obtained with the token of a caller ends with it, and cannot be refreshed without it. */
const withinCallerToken = (token: OAuthToken, { callerToken }: AccessTokenRequest): OAuthToken => {
  if (callerToken === undefined) return token
  const { refreshToken: _, ...kept } = token
  const ends = [token.expiresAt, callerToken.expiresAt].filter((end) => end !== undefined)
  return new OAuthToken({ ...kept, ...(ends.length === 0 ? {} : { expiresAt: Math.min(...ends) }) })
}
