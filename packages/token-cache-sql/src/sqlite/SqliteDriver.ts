import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { DatabaseSync } from "node:sqlite"

/** How long a statement waits for other processes, which write for some milliseconds each. */
const longestWait = Duration.seconds(4)

/** SQLite's own way of waiting would stop this whole process. */
const untilFree = Schedule.spaced("5 millis").pipe(
  Schedule.jittered,
  Schedule.upTo({ duration: longestWait, times: 2000 })
)

/** A `SqlClient` on a file, over the SQLite of Node. The file is closed with the scope. */
export const makeSqliteClient = Effect.fnUntraced(function* (path: string) {
  const database = yield* Effect.acquireRelease(
    attempt("open", () => new DatabaseSync(path)),
    (opened) => Effect.sync(() => opened.close())
  )
  const connection = connectionOf(database)
  // Readers and a writer do not wait for each other, and a commit is on the disk when it ends.
  yield* connection.executeRaw("PRAGMA journal_mode = WAL", [])
  yield* connection.executeRaw("PRAGMA synchronous = FULL", [])
  const acquirers = SqlClient.makeSqliteAcquirers({
    connection: Effect.succeed(connection),
    semaphore: yield* Semaphore.make(1),
    isTransaction: () => database.isTransaction
  })
  return yield* SqlClient.make({
    ...acquirers,
    compiler: Statement.makeCompilerSqlite(),
    driver: "node-sqlite",
    // A transaction that wants to write says so at its beginning, so that it waits there, and nowhere else.
    beginTransaction: "BEGIN IMMEDIATE",
    spanAttributes: [["db.system.name", "sqlite"]]
  })
})

type Value = null | number | bigint | string | Uint8Array

const connectionOf = (database: DatabaseSync): Connection => {
  const prepare = (sql: string, isArrays: boolean) => {
    const statement = database.prepare(sql)
    statement.setReturnArrays(isArrays)
    return statement
  }
  const run = (sql: string, parameters: ReadonlyArray<unknown>, isArrays = false) =>
    attempt("execute", () => prepare(sql, isArrays).all(...parameters.map(toValue))).pipe(
      Effect.retry({ schedule: untilFree, while: ({ reason }) => reason._tag === "LockTimeoutError" })
    )
  const rows: Connection["execute"] = (sql, parameters, transform) =>
    Effect.map(run(sql, parameters), (found) => (transform === undefined ? found : transform(found)))
  const values: Connection["executeValues"] = (sql, parameters) =>
    Effect.map(run(sql, parameters, true), (found) => found.map((row) => Object.values(row)))
  return {
    execute: rows,
    executeUnprepared: rows,
    executeRaw: run,
    executeValues: values,
    executeValuesUnprepared: values,
    executeStream: (sql, parameters, transform) => Stream.fromIterableEffect(rows(sql, parameters, transform))
  }
}

const toValue = (parameter: unknown): Value => {
  if (parameter === null || parameter === undefined) return null
  if (typeof parameter === "number" || typeof parameter === "bigint" || typeof parameter === "string")
    return parameter
  if (typeof parameter === "boolean") return parameter ? 1 : 0
  if (parameter instanceof Uint8Array) return parameter
  throw new TypeError("SQLite takes no such value")
}

const attempt = <A>(operation: string, evaluate: () => A): Effect.Effect<A, SqlError> =>
  Effect.try({
    try: evaluate,
    catch: (cause) =>
      // The number is what Node calls `errcode`.
      new SqlError({
        reason: classifySqliteError(
          { code: sqliteCode(cause), cause },
          { operation, message: "SQLite failed" }
        )
      })
  })

/** The number of an error (`SQLITE_BUSY` is 5), with what SQLite adds to it; undefined for an error of another kind. */
export const sqliteCode = (cause: unknown): number | undefined =>
  Predicate.hasProperty(cause, "errcode") && typeof cause.errcode === "number" ? cause.errcode : undefined
