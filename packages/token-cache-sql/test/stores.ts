import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { OAuthToken, TokenCache, type TokenKey } from "@secure-mcp/oauth-core"
import {
  SingleFlightTokenCache,
  tokenOfEntry,
  TokenStore,
  type StoreEntry,
  type TokenEncryptionOptions
} from "@secure-mcp/token-cache"
import { SqlTokenStore } from "@secure-mcp/token-cache-sql"
import { PostgresConnection, type PostgresConnectionOptions } from "@secure-mcp/token-cache-sql/postgres"
import { SqliteConnection } from "@secure-mcp/token-cache-sql/sqlite"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** The path of a file in a folder of its own, gone afterwards. */
export const makeSqlitePath = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "sqlite-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  ),
  (directory) => join(directory, "state", "tokens.db")
)

/** 64 characters that nobody guesses. */
export const secretOf = (seed: string) => Redacted.make(`${seed}-0123456789abcdefghijklmnopqrstuvwxyz`)

const usual: TokenEncryptionOptions = { encryptionKey: secretOf("one") }

/** A store with connections of its own, as a process of its own would have it. */
const open = <E>(database: Layer.Layer<SqlClient.SqlClient, E>, options: TokenEncryptionOptions) =>
  Effect.map(Layer.build(SqlTokenStore.layer(options).pipe(Layer.provideMerge(database))), (services) => ({
    store: Context.get(services, TokenStore),
    sql: Context.get(services, SqlClient.SqlClient)
  }))

/** The caches of three instances of a gateway, each with connections of its own. */
export const openInstances = <E>(database: Layer.Layer<SqlClient.SqlClient, E>) =>
  Effect.forEach([1, 2, 3], () =>
    Effect.map(
      Layer.build(
        SingleFlightTokenCache.layer.pipe(
          Layer.provide(SqlTokenStore.layer(usual)),
          Layer.provide(Layer.fresh(database))
        )
      ),
      Context.get(TokenCache)
    )
  )

export const openSqlite = (url: string, options = usual) => open(SqliteConnection.layer({ url }), options)

export const openPostgres = (
  url: string,
  options = usual,
  connection: Partial<PostgresConnectionOptions> = {}
) => open(PostgresConnection.layer({ ...connection, url: Redacted.make(url) }), options)

export const keyOf = (serverName: string, subject?: string): TokenKey => ({
  projectId: "default",
  configId: "default",
  serverName,
  subject,
  personal: true,
  fingerprint: "f"
})

export const tokenOf = (accessToken: string, fields: Partial<OAuthToken> = {}) =>
  new OAuthToken({
    accessToken: Redacted.make(accessToken),
    tokenType: "Bearer",
    issuedAt: 0,
    reusable: true,
    ...fields
  })

/** What is in an access token, for assertions. */
export const text = (given: OAuthToken | StoreEntry | undefined) => {
  const token = given === undefined || given instanceof OAuthToken ? given : tokenOfEntry(given)
  return token && Redacted.value(token.accessToken)
}

/** Writes log lines down. */
export const recordLog = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push(`${logLevel} ${String(message)}`)
  })
  return { lines, layer: Logger.layer([logger]) }
}
