import { StoreUnavailable } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { SqlDatabase } from "../database/SqlDatabase.ts"

/**
 * Brings the tables of the store to the version of this package. Of several processes that start at once one does it,
 * and the others wait: PostgreSQL locks the table of the migrations, SQLite the file. A later version only ever adds a
 * migration here, which the version before it can live with.
 */
export const migrate: Effect.Effect<void, StoreUnavailable, SqlClient.SqlClient> = Effect.gen(function* () {
  const { name, problemOf } = yield* SqlDatabase
  const unavailable = (problem: string) => new StoreUnavailable({ problem: `${name} ${problem}` })
  yield* Migrator.make({})({
    loader: Migrator.fromRecord({ "1_tokens": createTokens }),
    table: migrationTable
  }).pipe(
    Effect.catchTags({
      SqlError: (error) => Effect.fail(unavailable(problemOf(error))),
      MigrationError: ({ cause, kind }) =>
        Effect.fail(unavailable(isSqlError(cause) ? problemOf(cause) : `cannot be prepared (${kind})`))
    }),
    Effect.timeoutOrElse({
      duration: longestMigration,
      orElse: () =>
        Effect.fail(unavailable("gives no answer while its tables are prepared. Check that it runs"))
    })
  )
})

const longestMigration = "30 seconds"

const migrationTable = "mcp_oauth_migrations"

/**
 * One row for each key of which something is known.
 *
 * - `address`: SHA-256 of the key, in hex.
 * - `record`: the sealed token; null if there is none. `ends_at`: when its time to live is over; null if it has none.
 * - `written`: the number of the last write or removal. `removed_at`: when the token was removed; null if it was not.
 * - `given`: the number of the last lease. `leased_until`: when it ends or has ended.
 * - `damaged`, `damaged_at`: a record that could not be read, and since when.
 *
 * Times are milliseconds since the epoch, and so are numbers, unless one is raised to follow another one.
 */
const createTokens: Effect.Effect<void, SqlError, SqlClient.SqlClient> = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => {
    const bytes = sql.literal(sql.onDialectOrElse({ pg: () => "bytea", orElse: () => "blob" }))
    return Effect.asVoid(sql`
      CREATE TABLE mcp_oauth_tokens (
        address text PRIMARY KEY NOT NULL,
        record ${bytes},
        ends_at bigint,
        written bigint NOT NULL DEFAULT 0,
        removed_at bigint,
        given bigint NOT NULL DEFAULT 0,
        leased_until bigint NOT NULL DEFAULT 0,
        damaged ${bytes},
        damaged_at bigint
      )`)
  }
)
