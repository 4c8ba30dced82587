import * as NodeRedis from "@effect/platform-node/NodeRedis"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redis from "effect/persistence/Redis"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import { type Misconfigured, StoreUnavailable } from "@secure-mcp/oauth-core"
import {
  clientOptions,
  longestSilence,
  pauseBefore,
  type RedisClientSettings,
  tlsOptions
} from "./RedisClientOptions.ts"
import { unavailable } from "./RedisProblem.ts"
import { parseRedisUrl, type RedisNode } from "./RedisUrl.ts"

/** Which Redis, and who we are there. */
export interface RedisConnectionOptions {
  /** `redis://[user:password@]host[:port][/database]`; `rediss://` for TLS. */
  readonly url: Redacted.Redacted
  /** Instead of those in the URL. */
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  /** For TLS: PEM of the authorities that are trusted instead of the system's. */
  readonly authorities?: string | undefined
  /**
   * How long it may take in the beginning until Redis has taken the connection and the login; later, for how long a
   * connection may be silent before another one is made. Default: 5 seconds.
   */
  readonly timeout?: Duration.Input | undefined
}

/** What errors call the Redis in use. */
export const RedisAddress = Context.Reference<string>("@secure-mcp/token-cache-redis/RedisAddress", {
  defaultValue: () => "Redis"
})

/**
 * A connection of the `redis` client. Fails when Redis cannot be reached or does not answer in the beginning; from then on it connects
 * again by itself, and as long as it is away every command fails at once.
 */
export const RedisConnection = {
  layer: (options: RedisConnectionOptions): Layer.Layer<Redis.Redis, Misconfigured | StoreUnavailable> =>
    Layer.unwrap(Effect.map(parseTarget(options), connect))
}

interface Target extends RedisClientSettings, RedisNode {
  readonly database: number
}

const parseTarget = (options: RedisConnectionOptions): Effect.Effect<Target, Misconfigured> =>
  Effect.map(Effect.fromResult(parseRedisUrl(options.url, "single")), ({ nodes: [node], ...target }) => ({
    ...node,
    ...target,
    authorities: options.authorities,
    timeout: Duration.fromInputUnsafe(options.timeout ?? "5 seconds"),
    username: options.username ?? target.username,
    password: options.password ?? target.password
  }))

const connect = (target: Target): Layer.Layer<Redis.Redis, StoreUnavailable> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const place = `Redis at ${target.host}:${target.port}`
      const connection: Connection = { wasThere: false, deadline: new AbortController() }
      const client = NodeRedis.layer(singleOptions(target, connection))
      const services = yield* withDeadline(
        Layer.buildWithScope(client, yield* Effect.scope),
        target,
        connection
      ).pipe(
        Effect.mapError((error) =>
          connection.deadline.signal.aborted ? silent(place, target) : unavailable(place, error)
        ),
        // It would log whatever goes wrong in the words of the client; what there is to say is said by `watch`.
        Effect.provideService(References.MinimumLogLevel, "None")
      )
      connection.wasThere = true
      yield* watch(Context.get(services, NodeRedis.NodeRedis).client, place)
      return Context.add(services, RedisAddress, place)
    })
  )

interface Connection {
  wasThere: boolean
  /** Ends the first connection. Whoever gives up the client's own promise instead leaves its socket open. */
  readonly deadline: AbortController
}

const withDeadline = <A, E, R>(
  connecting: Effect.Effect<A, E, R>,
  { timeout }: Target,
  { deadline }: Connection
): Effect.Effect<A, E, R> =>
  Effect.sync(() => deadline.abort()).pipe(
    Effect.delay(timeout),
    Effect.forkScoped,
    Effect.andThen(connecting),
    Effect.scoped
  )

const silent = (place: string, { timeout, tls }: Target): StoreUnavailable =>
  new StoreUnavailable({
    problem: `${place} does not answer within ${Duration.toSeconds(timeout)} seconds. Check that this is the address of a Redis that runs, and ${
      tls ? "that it speaks TLS (`rediss://`)" : "whether it speaks TLS only (`rediss://`)"
    }`
  })

const singleOptions = (target: Target, connection: Connection) => ({
  ...clientOptions(target),
  database: target.database,
  socket: {
    host: target.host,
    port: target.port,
    connectTimeout: longestSilence(target.timeout),
    socketTimeout: longestSilence(target.timeout),
    signal: connection.deadline.signal,
    reconnectStrategy: (retries: number, cause: Error) =>
      connection.wasThere ? pauseBefore(retries) : cause,
    ...tlsOptions(target, target.host)
  }
})

type Client = NodeRedis.NodeRedis["Service"]["client"]

/** Says once when the connection is lost, and once when it is there again. */
const watch = Effect.fnUntraced(function* (client: Client, place: string) {
  const runSync = Effect.runSyncWith(yield* Effect.context<never>())
  let isAway = false
  const onError = () => {
    if (!isAway) runSync(Effect.logWarning(`${place} is away; the connection is tried again`))
    isAway = true
  }
  const onReady = () => {
    if (isAway) runSync(Effect.logInfo(`${place} is back`))
    isAway = false
  }
  client.on("error", onError).on("ready", onReady)
  yield* Effect.addFinalizer(() => hangUp(client))
})

/** A server that does not answer must not keep the process from ending. */
const hangUp = (client: Client) =>
  Effect.promise(() => client.close()).pipe(
    Effect.timeoutOrElse({ duration: "2 seconds", orElse: () => Effect.sync(() => client.destroy()) }),
    Effect.ignoreCause
  )
