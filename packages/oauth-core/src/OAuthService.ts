import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { AccessTokenRequest } from "./AccessTokenRequest.ts"
import { Grants, type GrantRequest } from "./Grants.ts"
import type { OAuthConfig } from "./OAuthConfig.ts"
import { OAuthError } from "./OAuthError.ts"
import { OAuthEvents } from "./OAuthEvents.ts"
import { OAuthHttp } from "./OAuthHttp.ts"
import type { OAuthToken } from "./OAuthToken.ts"
import { TokenCache, type CachedToken } from "./TokenCache.ts"
import { tokenFingerprint, type TokenKey } from "./TokenKey.ts"

/** Access tokens for MCP servers: obtained when needed, kept while fresh, renewed ahead of expiry, revoked. */
export class OAuthService extends Context.Service<
  OAuthService,
  {
    /** A valid access token, from the cache or newly obtained. */
    readonly getAccessToken: (request: AccessTokenRequest) => Effect.Effect<CachedToken, OAuthError>
    /**
     * A new access token, or the result of a renewal that is already under way.
     *
     * @param refused the access token the MCP server refused; if another one is kept by now, that one is given
     */
    readonly refresh: (
      request: AccessTokenRequest,
      refused?: Redacted.Redacted
    ) => Effect.Effect<CachedToken, OAuthError>
    /** Forgets the token; the next call obtains a new one. */
    readonly invalidate: (request: AccessTokenRequest) => Effect.Effect<void, OAuthError>
    /** Forgets the token and tells the authorization server (RFC 7009). It is forgotten even if that fails. */
    readonly revoke: (request: AccessTokenRequest) => Effect.Effect<void, OAuthError>
  }
>()("@secure-mcp/oauth-core/OAuthService") {
  static readonly layer: Layer.Layer<OAuthService, never, Grants | TokenCache | OAuthHttp> = Layer.effect(
    OAuthService,
    Effect.suspend(() => make)
  ).pipe(Layer.provide([Digest.layerWebCrypto, SecureRandom.layerWebCrypto]))
}

const make = Effect.gen(function* () {
  const grants = yield* Grants
  const cache = yield* TokenCache
  const http = yield* OAuthHttp
  const events = yield* OAuthEvents
  const random = yield* SecureRandom.SecureRandom
  const fingerprintOf = yield* makeFingerprintMemo

  const newGrantRequest = (request: AccessTokenRequest): Effect.Effect<GrantRequest> =>
    Effect.map(random.uuidV4(), (correlationId) => ({ ...request, correlationId }))

  const keyOf = Effect.fnUntraced(function* (request: AccessTokenRequest) {
    const { certificateThumbprint } = yield* http
      .connection(request.config)
      .pipe(Effect.catch((reason) => failWith(request, reason)))
    const fingerprint = yield* fingerprintOf(request.config, certificateThumbprint)
    return {
      projectId: request.projectId ?? "default",
      configId: request.configId ?? "default",
      serverName: request.serverName,
      subject: request.subject,
      fingerprint
    } satisfies TokenKey
  })

  const failWith = (request: AccessTokenRequest, reason: OAuthError["reason"]) =>
    Effect.flatMap(random.uuidV4(), (correlationId) =>
      Effect.fail(
        new OAuthError({
          operation: "get an access token",
          serverName: request.serverName,
          correlationId,
          reason
        })
      )
    )

  const acquire = (request: AccessTokenRequest) => (previous: OAuthToken | undefined) =>
    Effect.flatMap(newGrantRequest(request), (grantRequest) =>
      grants
        .acquire(grantRequest, previous)
        .pipe(
          Effect.annotateLogs({ server_name: request.serverName, correlation_id: grantRequest.correlationId })
        )
    )

  const get = (
    request: AccessTokenRequest,
    renewal: { forceRefresh?: boolean; refused?: Redacted.Redacted }
  ) =>
    Effect.flatMap(keyOf(request), (key) =>
      cache.get({
        key,
        expiryBuffer: Duration.seconds(request.config.tokenExpiryBuffer),
        acquire: acquire(request),
        ...renewal
      })
    )

  return OAuthService.of({
    getAccessToken: Effect.fn("OAuthService.getAccessToken")((request) => get(request, {})),

    refresh: Effect.fn("OAuthService.refresh")((request, refused) =>
      get(request, refused === undefined ? { forceRefresh: true } : { refused })
    ),

    invalidate: Effect.fn("OAuthService.invalidate")((request) =>
      keyOf(request).pipe(Effect.flatMap(cache.invalidate), Effect.asVoid)
    ),

    revoke: Effect.fn("OAuthService.revoke")(function* (request) {
      const key = yield* keyOf(request)
      const token = yield* cache.invalidate(key)
      if (token === undefined) return
      yield* grants.revoke(yield* newGrantRequest(request), token)
      yield* events.publish({ _tag: "TokenRevoked", serverName: request.serverName })
    })
  })
})

/** A configuration's fingerprint is asked for on every request and changes only with the certificate. */
const makeFingerprintMemo = Effect.map(Digest.Digest, (digest) => {
  const known = new WeakMap<
    OAuthConfig,
    { readonly thumbprint: string | undefined; readonly fingerprint: string }
  >()
  return (config: OAuthConfig, thumbprint: string | undefined): Effect.Effect<string> => {
    const memo = known.get(config)
    if (memo !== undefined && memo.thumbprint === thumbprint) return Effect.succeed(memo.fingerprint)
    return tokenFingerprint(config, thumbprint).pipe(
      Effect.tap((fingerprint) => Effect.sync(() => known.set(config, { thumbprint, fingerprint }))),
      Effect.provideService(Digest.Digest, digest)
    )
  }
})
