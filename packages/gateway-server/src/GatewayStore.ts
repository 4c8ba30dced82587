import { isPersonalGrant, Misconfigured } from "@secure-mcp/oauth-core"
import { FileTokenStore, PersonGrantTokenStore, TokenStore } from "@secure-mcp/token-cache"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { GatewayConfig } from "./config/GatewayConfig.ts"
import type { StoreSettings } from "./config/StoreSettings.ts"
import { redisSessionOwners } from "./sessions/RedisSessionOwners.ts"

/**
 * Where the tokens of a configuration are kept, and whose the sessions of servers are. Unless it says otherwise, what a
 * person granted outlives the process, encrypted, and nothing else is written to disk. Sessions outlive it only in Redis.
 */
export const gatewayStore = ({ servers, store }: GatewayConfig) => {
  if (store.type === "redis") return redisStore(store)
  if (store.type === "sqlite") return sqliteStore(store)
  if (store.type === "postgres") return postgresStore(store)
  const files = FileTokenStore.layer({
    directory: store.directory,
    previousKeys: store.previousEncryptionKeys,
    ...(store.encryptionKey === undefined ? {} : { encryptionKey: store.encryptionKey })
  })
  if (store.type === "file") return files
  const isNeeded = servers.some(({ oauth }) => oauth !== undefined && isPersonalGrant(oauth.grantType))
  return store.type === undefined && isNeeded ? PersonGrantTokenStore.layer(files) : TokenStore.none
}

/** The client of a database is loaded only where it is needed: a process that is started for each session pays for it. */
const redisStore = ({ caBundlePath, encryptionKey, url, ...store }: StoreSettings) =>
  Layer.unwrap(
    Effect.gen(function* () {
      if (url === undefined || encryptionKey === undefined)
        return yield* new Misconfigured({ problem: "Redis needs `store.url` and `store.encryption_key`" })
      const redis = yield* Effect.promise(() => import("@secure-mcp/token-cache-redis"))
      const authorities = caBundlePath === undefined ? undefined : yield* readAuthorities(caBundlePath)
      const tokens = redis.RedisTokenStore.layer({
        encryptionKey,
        previousKeys: store.previousEncryptionKeys,
        keyPrefix: store.keyPrefix
      })
      const sessions = redisSessionOwners({ secret: encryptionKey, keyPrefix: store.keyPrefix })
      const server = {
        url,
        authorities,
        username: store.username,
        password: store.password,
        ...(store.timeoutSeconds === undefined ? {} : { timeout: Duration.seconds(store.timeoutSeconds) })
      }
      const { cluster, sentinelName: name, sentinelPassword, sentinelUsername } = store
      const connection =
        name !== undefined
          ? redis.RedisSentinelConnection.layer({ ...server, name, sentinelPassword, sentinelUsername })
          : cluster === true
            ? redis.RedisClusterConnection.layer(server)
            : redis.RedisConnection.layer(server)
      return Layer.merge(tokens, sessions).pipe(Layer.provide(connection))
    })
  )

/** Without an encryption key, one is made and kept next to the file, as for the store in files. */
const sqliteStore = ({ encryptionKey, previousEncryptionKeys: previousKeys, url }: StoreSettings) =>
  Layer.unwrap(
    Effect.gen(function* () {
      if (url === undefined) return yield* new Misconfigured({ problem: "SQLite needs `store.url`" })
      const file = Redacted.value(url)
      const [{ SqlTokenStore }, { SqliteConnection, SqliteKeyFile }] = yield* Effect.promise(() =>
        Promise.all([import("@secure-mcp/token-cache-sql"), import("@secure-mcp/token-cache-sql/sqlite")])
      )
      return SqlTokenStore.layer({
        encryptionKey: encryptionKey ?? (yield* SqliteKeyFile.readOrMake(file)),
        previousKeys
      }).pipe(Layer.provide(SqliteConnection.layer({ url: file })))
    })
  )

const postgresStore = ({ caBundlePath, encryptionKey, url, ...store }: StoreSettings) =>
  Layer.unwrap(
    Effect.gen(function* () {
      if (url === undefined || encryptionKey === undefined)
        return yield* new Misconfigured({
          problem: "PostgreSQL needs `store.url` and `store.encryption_key`"
        })
      const [{ SqlTokenStore }, { PostgresConnection }] = yield* Effect.promise(() =>
        Promise.all([import("@secure-mcp/token-cache-sql"), import("@secure-mcp/token-cache-sql/postgres")])
      )
      return SqlTokenStore.layer({ encryptionKey, previousKeys: store.previousEncryptionKeys }).pipe(
        Layer.provide(
          PostgresConnection.layer({
            url,
            authorities: caBundlePath === undefined ? undefined : yield* readAuthorities(caBundlePath),
            username: store.username,
            password: store.password,
            ...(store.timeoutSeconds === undefined ? {} : { timeout: Duration.seconds(store.timeoutSeconds) })
          })
        )
      )
    })
  )

const readAuthorities = (path: string) =>
  FileSystem.FileSystem.use((files) => files.readFileString(path)).pipe(
    Effect.mapError(
      ({ reason }) =>
        new Misconfigured({ problem: `\`store.ca_bundle_path\` cannot be read (${reason._tag}): ${path}` })
    )
  )
