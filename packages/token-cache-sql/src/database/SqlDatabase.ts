import * as Context from "effect/Context"
import type { SqlError } from "effect/sql/SqlError"

/** What errors say about a database: what it is called, and why a statement failed. Quotes no value of a statement. */
export interface SqlDatabaseDescription {
  /** As in "PostgreSQL at db.example:5432". Without user name and password. */
  readonly name: string
  /** What follows the name, as in "cannot be reached: …". */
  readonly problemOf: (error: SqlError) => string
}

/** The database that a `SqlClient` speaks to. `SqliteConnection` and `PostgresConnection` provide it. */
export const SqlDatabase = Context.Reference<SqlDatabaseDescription>(
  "@secure-mcp/token-cache-sql/SqlDatabase",
  {
    defaultValue: () => ({
      name: "the database",
      problemOf: ({ reason }) => `cannot be used (${reason._tag})`
    })
  }
)
