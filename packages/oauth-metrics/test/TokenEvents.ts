import {
  ConnectionFailed,
  OAuthError,
  OAuthEvents,
  OAuthToken,
  TokenCache,
  type OAuthEvent,
  type TokenCacheEntry
} from "@secure-mcp/oauth-core"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

export const publish = (...events: ReadonlyArray<OAuthEvent>) =>
  Effect.flatMap(OAuthEvents, (port) => Effect.forEach(events, port.publish, { discard: true }))

export const readSnapshot = Effect.flatMap(OAuthMetrics, (metrics) => metrics.snapshot)

export const readPrometheus = Effect.flatMap(OAuthMetrics, (metrics) => metrics.prometheus)

export const acquired = (serverName: string, milliseconds: number, refresh = false) => ({
  _tag: "TokenAcquired" as const,
  serverName,
  duration: Duration.millis(milliseconds),
  refresh
})

export const failed = (serverName: string, milliseconds: number) => ({
  _tag: "AcquisitionFailed" as const,
  serverName,
  duration: Duration.millis(milliseconds),
  refresh: false,
  reason: "RequestTimeout" as const
})

export const hit = (serverName: string): OAuthEvent => ({ _tag: "CacheHit", serverName })

export const miss = (serverName: string): OAuthEvent => ({ _tag: "CacheMiss", serverName })

export const token = new OAuthToken({
  accessToken: Redacted.make("canary-access-token"),
  tokenType: "Bearer",
  issuedAt: 0,
  reusable: true
})

const entry = (serverName: string): TokenCacheEntry => ({
  key: {
    projectId: "canary-project",
    configId: "canary-config",
    serverName,
    subject: "canary-subject",
    personal: true,
    fingerprint: "canary-fingerprint"
  },
  token
})

export const cacheWith = (...servers: ReadonlyArray<string>) =>
  Layer.succeed(TokenCache, {
    get: () => Effect.die("not used here"),
    peek: () => undefined,
    find: () => Effect.succeed(token),
    put: () => Effect.die("not used here"),
    invalidate: () => Effect.succeed(token),
    revoke: (_, revokeToken) => revokeToken(token),
    list: Effect.succeed(servers.map(entry))
  })

export const storeDown = Layer.succeed(TokenCache, {
  get: () => Effect.die("not used here"),
  peek: () => undefined,
  find: () => Effect.die("not used here"),
  put: () => Effect.die("not used here"),
  invalidate: () => Effect.die("not used here"),
  revoke: () => Effect.die("not used here"),
  list: Effect.fail(
    new OAuthError({
      operation: "list the tokens",
      serverName: "*",
      correlationId: "1",
      reason: new ConnectionFailed({ endpoint: "redis://store", problem: "ECONNREFUSED" })
    })
  )
})

/** A fresh build of the layer for each test. */
export const fresh = (cache: Layer.Layer<TokenCache>) =>
  Effect.provide(Layer.merge(Layer.fresh(OAuthMetrics.layer), cache))
