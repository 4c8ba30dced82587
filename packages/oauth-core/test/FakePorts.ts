import {
  CertificateUnusable,
  decodeOAuthConfig,
  Grants,
  OAuthError,
  OAuthEvents,
  OAuthHttp,
  OAuthService,
  OAuthToken,
  TokenCache,
  tokenKeyString,
  type CachedToken,
  type GrantRequest,
  type KeepGrant,
  type OAuthConfig,
  type OAuthErrorReason,
  type OAuthEvent,
  type GrantedToken,
  type RevocationOutcome,
  type TokenCacheEntry,
  type TokenKey
} from "@secure-mcp/oauth-core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { clientCredentials } from "./WireConfig.ts"

export const configWith = (keys: object): OAuthConfig =>
  Result.getOrThrow(decodeOAuthConfig({ ...clientCredentials, ...keys }))

/** Fails a piece of work with this reason. */
export const refusing =
  (reason: OAuthErrorReason) =>
  ({ correlationId, serverName }: GrantRequest) =>
    Effect.fail(new OAuthError({ operation: "do the work", serverName, correlationId, reason }))

interface Behaviour {
  readonly acquire?: (request: GrantRequest) => Effect.Effect<never, OAuthError>
  readonly find?: Effect.Effect<never, OAuthError>
  readonly revoke?: (request: GrantRequest) => Effect.Effect<RevocationOutcome, OAuthError>
  readonly redeem?: Effect.Effect<GrantedToken, OAuthError>
  /** The request that an authorization response answers. */
  readonly pending?: GrantRequest
  /** An answer that brings this token, which must not be served, and is then refused. */
  readonly refusedGrant?: {
    readonly request: GrantRequest
    readonly token: OAuthToken
    readonly error: OAuthError
  }
}

/** `OAuthService` on ports that remember what they were asked and hand out `token-1`, `token-2`, and so on. */
export const makePorts = (behaviour: Behaviour = {}) => {
  const acquired: Array<GrantRequest> = []
  const previous: Array<OAuthToken | undefined> = []
  const authorized: Array<{ readonly request: GrantRequest; readonly redirectUri: string }> = []
  const revoked: Array<{ readonly request: GrantRequest; readonly token: OAuthToken }> = []
  const published: Array<OAuthEvent> = []
  const asked: Array<{
    readonly key: TokenKey
    readonly expiryBufferSeconds: number
    readonly unwanted?: string | undefined
  }> = []
  const certificate: { thumbprint: string | undefined; usable: boolean } = {
    thumbprint: undefined,
    usable: true
  }
  const connected: Array<string | undefined> = []

  const refuse = (keep: KeepGrant | undefined) => {
    const { refusedGrant } = behaviour
    return (
      refusedGrant &&
      Effect.andThen(
        keep?.(refusedGrant.request, refusedGrant.token) ?? Effect.void,
        Effect.fail(refusedGrant.error)
      )
    )
  }

  const grants = Layer.succeed(Grants, {
    acquire: (request, replaced) => {
      acquired.push(request)
      previous.push(replaced)
      return behaviour.acquire?.(request) ?? Effect.succeed(tokenNumber(acquired.length))
    },
    authorize: (request, redirectUri) => {
      authorized.push({ request, redirectUri })
      return Effect.succeed({ authorizationUrl: "https://auth.example.com/authorize?state=1" })
    },
    redeem: (_, keep, identified) => {
      if (behaviour.pending !== undefined) identified?.(behaviour.pending)
      return refuse(keep) ?? behaviour.redeem ?? Effect.die("not used here")
    },
    authorizeDevice: (_, keep) =>
      Effect.succeed({
        userCode: "WDJB-MJHT",
        verificationUri: "https://auth.example.com/device",
        expiresIn: 600,
        token: refuse(keep) ?? Effect.sync(() => tokenNumber(100))
      }),
    revoke: (request, token) => {
      revoked.push({ request, token })
      return behaviour.revoke?.(request) ?? Effect.succeed("Revoked")
    }
  })

  const kept = new Map<string, TokenCacheEntry>()
  const cache = Layer.succeed(TokenCache, {
    put: (key, token) => Effect.sync(() => void kept.set(tokenKeyString(key), { key, token })),
    get: ({ acquire, expiryBuffer, forceRefresh = false, insufficient, key, refused }) =>
      Effect.suspend((): Effect.Effect<CachedToken, OAuthError> => {
        asked.push({
          key,
          expiryBufferSeconds: Duration.toSeconds(expiryBuffer),
          unwanted: refused === undefined ? insufficient && "insufficient" : "refused"
        })
        const token = kept.get(tokenKeyString(key))?.token
        const unwanted = refused ?? insufficient
        const mayServe = !forceRefresh && (unwanted === undefined || !token?.isAccessToken(unwanted))
        if (token !== undefined && mayServe) return Effect.succeed({ token, source: "cache" })
        return acquire(token, () => Effect.void).pipe(
          Effect.tap((fresh) => Effect.sync(() => kept.set(tokenKeyString(key), { key, token: fresh }))),
          Effect.map((fresh) => ({ token: fresh, source: "acquired" }))
        )
      }),
    invalidate: (key) =>
      Effect.sync(() => {
        const token = kept.get(tokenKeyString(key))?.token
        kept.delete(tokenKeyString(key))
        return token
      }),
    revoke: (key, revokeToken) =>
      Effect.suspend(() => {
        const token = kept.get(tokenKeyString(key))?.token
        kept.delete(tokenKeyString(key))
        return token === undefined ? Effect.undefined : revokeToken(token)
      }),
    find: (key) => behaviour.find ?? Effect.sync(() => kept.get(tokenKeyString(key))?.token),
    list: Effect.sync(() => [...kept.values()]),
    peek: ({ expiryBuffer, key }) => {
      const token = kept.get(tokenKeyString(key))?.token
      if (token !== undefined) asked.push({ key, expiryBufferSeconds: Duration.toSeconds(expiryBuffer) })
      return token
    }
  })

  const http = Layer.succeed(OAuthHttp, {
    connection: (_, options) => {
      connected.push(options?.serverName)
      return certificate.usable
        ? Effect.succeed({ client, certificateThumbprint: certificate.thumbprint })
        : Effect.fail(new CertificateUnusable({ key: "client_cert_path", problem: "cannot be read" }))
    }
  })

  const events = Layer.succeed(OAuthEvents, {
    publish: (event) => Effect.sync(() => void published.push(event))
  })

  return {
    acquired,
    previous,
    authorized,
    revoked,
    published,
    asked,
    certificate,
    connected,
    layer: OAuthService.layer.pipe(Layer.provide([grants, cache, http, events]))
  }
}

const client = HttpClient.make(() => Effect.die("a request was sent"))

export const tokenNumber = (number: number) =>
  new OAuthToken({
    accessToken: Redacted.make(`token-${number}`),
    tokenType: "Bearer",
    issuedAt: 0,
    reusable: true
  })
