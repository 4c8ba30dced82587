import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import * as Redacted from "effect/Redacted"
import type { Misconfigured, StoreUnavailable } from "@secure-mcp/oauth-core"
import { createSentinel } from "redis"
import { clientOptions, longestSilence, pauseBefore, tlsOptions } from "./RedisClientOptions.ts"
import { RedisAddress, type RedisConnectionOptions } from "./RedisConnection.ts"
import { connectInTime, makeRedis, watchNodes } from "./RedisNodes.ts"
import { makeReplication, RedisReplication } from "./RedisReplication.ts"
import { parseRedisUrl } from "./RedisUrl.ts"

/** Which sentinels, and who we are at the primary that they watch. */
export interface RedisSentinelConnectionOptions extends RedisConnectionOptions {
  /**
   * `redis://[user:password@]sentinel1[:port],sentinel2[:port][/database]`: the addresses are those of sentinels (their
   * usual port is 26379), the rest is for the primary. `rediss://` for TLS to both.
   */
  readonly url: Redacted.Redacted
  /** What the sentinels call the primary, such as `mymaster`. */
  readonly name: string
  /** The user of the sentinels, if they ask for one. */
  readonly sentinelUsername?: string | undefined
  readonly sentinelPassword?: Redacted.Redacted | undefined
}

/**
 * A connection to the primary that Redis Sentinel names, and to another one after a failover. A write counts once a replica has
 * it, so that a failover cannot bring back a refresh token that was used.
 *
 * @example
 * ```ts
 * import { RedisSentinelConnection, RedisTokenStore } from "@secure-mcp/token-cache-redis"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const redis = RedisSentinelConnection.layer({
 *   url: Redacted.make("redis://gateway:password@sentinel1,sentinel2,sentinel3"),
 *   name: "mymaster"
 * })
 * const store = RedisTokenStore.layer({ encryptionKey: Redacted.make("the output of: openssl rand -base64 32") })
 *
 * export const tokens = Layer.provide(store, redis)
 * ```
 */
export const RedisSentinelConnection = {
  /** Fails when no sentinel names a primary that can be reached. */
  layer: (
    options: RedisSentinelConnectionOptions
  ): Layer.Layer<Redis.Redis, Misconfigured | StoreUnavailable> =>
    Layer.effectContext(
      Effect.gen(function* () {
        const { database, nodes, ...target } = yield* Effect.fromResult(
          parseRedisUrl(options.url, "sentinel")
        )
        const settings = {
          tls: target.tls,
          authorities: options.authorities,
          timeout: Duration.fromInputUnsafe(options.timeout ?? "5 seconds"),
          username: options.username ?? target.username,
          password: options.password ?? target.password
        }
        const [{ host, port }] = nodes
        const place = `Redis (${options.name}, by the sentinel at ${host}:${port}${nodes.length > 1 ? " and others" : ""})`
        const socket = {
          connectTimeout: longestSilence(settings.timeout),
          socketTimeout: longestSilence(settings.timeout),
          ...tlsOptions(settings)
        }
        const sentinel = createSentinel({
          name: options.name,
          RESP: 2,
          sentinelRootNodes: [...nodes],
          nodeClientOptions: {
            ...clientOptions(settings),
            database,
            socket: { ...socket, reconnectStrategy: pauseBefore }
          },
          sentinelClientOptions: {
            ...clientOptions({
              ...settings,
              username: options.sentinelUsername,
              password: options.sentinelPassword
            }),
            socket
          },
          // Whoever waits for a token tries again by itself, and knows what it had begun.
          maxCommandRediscovers: 0,
          masterPoolSize: 1,
          replicaPoolSize: 0,
          // In case that a sentinel did not say that it has another primary.
          scanInterval: 2000
        })
        const watched = yield* watchNodes(sentinel, place)
        yield* connectInTime(
          {
            connect: () => sentinel.connect(),
            close: () => sentinel.close(),
            destroy: () => sentinel.destroy()
          },
          watched,
          place,
          settings.timeout
        )
        const send = (_: string | undefined, command: ReadonlyArray<string>, abortSignal: AbortSignal) =>
          sentinel.sendCommand<unknown>(false, [...command], { abortSignal })
        const { redis, sendTo } = yield* makeRedis(send)
        return Context.make(Redis.Redis, redis).pipe(
          Context.add(RedisAddress, place),
          Context.add(RedisReplication, makeReplication(place, sendTo))
        )
      })
    )
}
