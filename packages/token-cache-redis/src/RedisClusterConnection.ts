import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import type * as Redacted from "effect/Redacted"
import type { Misconfigured, StoreUnavailable } from "@secure-mcp/oauth-core"
import { createCluster } from "redis"
import { clientOptions, longestSilence, pauseBefore, tlsOptions } from "./RedisClientOptions.ts"
import { RedisAddress, type RedisConnectionOptions } from "./RedisConnection.ts"
import { connectInTime, makeRedis, watchNodes } from "./RedisNodes.ts"
import { makeReplication, RedisReplication } from "./RedisReplication.ts"
import { parseRedisUrl } from "./RedisUrl.ts"

/** Some nodes of the cluster, and who we are there. */
export interface RedisClusterConnectionOptions extends RedisConnectionOptions {
  /** `redis://[user:password@]node1[:port],node2[:port]`: some nodes, of which the others are learned. `rediss://` for TLS. */
  readonly url: Redacted.Redacted
}

/**
 * Connections to the nodes of a Redis Cluster. All keys of a store are in one slot, which one node has, and another one
 * after a failover. A write counts once a replica has it, if the node has replicas, so that a failover cannot bring back a refresh
 * token that was used.
 *
 * @example
 * ```ts
 * import { RedisClusterConnection, RedisTokenStore } from "@secure-mcp/token-cache-redis"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const redis = RedisClusterConnection.layer({ url: Redacted.make("rediss://gateway:password@node1,node2,node3") })
 * const store = RedisTokenStore.layer({ encryptionKey: Redacted.make("the output of: openssl rand -base64 32") })
 *
 * export const tokens = Layer.provide(store, redis)
 * ```
 */
export const RedisClusterConnection = {
  /** Fails when none of the nodes can be reached, or they are no cluster. */
  layer: (
    options: RedisClusterConnectionOptions
  ): Layer.Layer<Redis.Redis, Misconfigured | StoreUnavailable> =>
    Layer.effectContext(
      Effect.gen(function* () {
        const { nodes, ...target } = yield* Effect.fromResult(parseRedisUrl(options.url, "cluster"))
        const settings = {
          tls: target.tls,
          authorities: options.authorities,
          timeout: Duration.fromInputUnsafe(options.timeout ?? "5 seconds"),
          username: options.username ?? target.username,
          password: options.password ?? target.password
        }
        const [{ host, port }] = nodes
        const place = `Redis Cluster at ${host}:${port}${nodes.length > 1 ? " and others" : ""}`
        const socket = {
          connectTimeout: longestSilence(settings.timeout),
          socketTimeout: longestSilence(settings.timeout),
          ...tlsOptions(settings)
        }
        const cluster = createCluster({
          RESP: 2,
          rootNodes: nodes.map((node) => ({ socket: node })),
          defaults: { ...clientOptions(settings), socket: { ...socket, reconnectStrategy: pauseBefore } },
          // A node that is gone has another one in its place soon: ask the others early.
          topologyRefreshOnReconnectionAttemptStrategy: 500
        })
        const watched = yield* watchNodes(cluster, place)
        yield* connectInTime(
          {
            connect: () => cluster.connect(),
            close: () => cluster.close(),
            destroy: async () => cluster.destroy()
          },
          watched,
          place,
          settings.timeout
        )
        const { redis, sendTo } = yield* makeRedis(async (key, command, abortSignal) =>
          key !== undefined && toThePrimaryItself.has(command[0] ?? "")
            ? (await cluster.getNodeClientForKey(key)).sendCommand([...command], { abortSignal })
            : cluster.sendCommand<unknown>(key, false, [...command], { abortSignal })
        )
        return Context.make(Redis.Redis, redis).pipe(
          Context.add(RedisAddress, place),
          Context.add(RedisReplication, makeReplication(place, sendTo))
        )
      })
    )
}

/** What the client would send to every node, and sum up. */
const toThePrimaryItself: ReadonlySet<string> = new Set(["INFO", "WAIT", "SCRIPT"])
