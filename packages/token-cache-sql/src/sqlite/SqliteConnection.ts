import { Misconfigured, StoreUnavailable } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Predicate from "effect/Predicate"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { chmodSync, closeSync, openSync, statSync } from "node:fs"
import { SqlDatabase } from "../database/SqlDatabase.ts"
import { cannotOpen, makeFolderOf, sqlitePath, sqliteUrlProblem } from "./SqlitePath.ts"

/** Which file. */
export interface SqliteConnectionOptions {
  /** A path, or a URL such as `file:///var/lib/gateway/tokens.db` or `sqlite:///var/lib/gateway/tokens.db`. */
  readonly url: string
}

/**
 * A `SqlClient` on a file of SQLite, through `node:sqlite`. The file is made if it is not there, with mode 0600; one that
 * is open to other users is closed to them, with a warning.
 *
 * @example
 * ```ts
 * import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
 * import { SqlTokenStore } from "@secure-mcp/token-cache-sql"
 * import { SqliteConnection } from "@secure-mcp/token-cache-sql/sqlite"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const database = SqliteConnection.layer({ url: "/var/lib/gateway/tokens.db" })
 * const store = SqlTokenStore.layer({ encryptionKey: Redacted.make("the output of: openssl rand -base64 32") })
 *
 * export const cache = SingleFlightTokenCache.layer.pipe(Layer.provide(store), Layer.provide(database))
 * ```
 */
export const SqliteConnection = {
  /** Fails with `Misconfigured` for a URL that is none, with `StoreUnavailable` for a file that cannot be used. */
  layer: ({
    url
  }: SqliteConnectionOptions): Layer.Layer<SqlClient.SqlClient, Misconfigured | StoreUnavailable> =>
    Layer.effectContext(
      Effect.gen(function* () {
        const path = sqlitePath(url)
        if (path === undefined)
          return yield* new Misconfigured({ problem: `the URL of SQLite ${sqliteUrlProblem(url) ?? ""}` })
        const description = { name: `the SQLite file ${path}`, problemOf }
        yield* preparePrivateFile(path)
        // Loaded here: Node says of its SQLite that it is experimental as soon as it is loaded, in some versions.
        const { makeSqliteClient } = yield* Effect.promise(() => import("./SqliteDriver.ts"))
        const client = yield* makeSqliteClient(path).pipe(
          Effect.provide(Reactivity.layer),
          Effect.mapError(
            (error) => new StoreUnavailable({ problem: `${description.name} ${problemOf(error)}` })
          )
        )
        return Context.make(SqlClient.SqlClient, client).pipe(Context.add(SqlDatabase, description))
      })
    )
}

const preparePrivateFile = (path: string): Effect.Effect<void, StoreUnavailable> =>
  Effect.try({
    try: () => {
      makeFolderOf(path)
      closeSync(openSync(path, "a", 0o600))
      const isOpen = process.platform !== "win32" && (statSync(path).mode & 0o077) !== 0
      if (isOpen) chmodSync(path, 0o600)
      return isOpen
    },
    catch: (cause) => cannotOpen("the SQLite file", path, cause)
  }).pipe(
    Effect.flatMap((wasOpen) =>
      wasOpen
        ? Effect.logWarning(
            `The file ${path} was open to other users of this machine. It is closed to them now`
          )
        : Effect.void
    )
  )

const problemOf = ({ reason }: SqlError): string => {
  const { cause } = reason
  const code = Predicate.hasProperty(cause, "code") && Predicate.isNumber(cause.code) ? cause.code & 0xff : 0
  return explanations[code] ?? `cannot be used (${reason._tag}, SQLite error ${code})`
}

/** By the number of an error of SQLite (https://www.sqlite.org/rescode.html). */
const explanations: Readonly<Record<number, string>> = {
  5: "is locked by another process. Check that no other program holds it open for long",
  6: "is locked by another process. Check that no other program holds it open for long",
  8: "cannot be written. Check who may write to it and to its folder",
  10: "cannot be read or written (I/O error). Look at its disk",
  11: "is damaged. Restore it from a backup, or move it away to begin anew",
  13: "cannot grow: the disk is full",
  14: "cannot be opened. Check the path, and who may write there",
  26: "is not a file of SQLite. Configure another path"
}
