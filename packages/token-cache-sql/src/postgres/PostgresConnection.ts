import * as PgClient from "@effect/sql-pg/PgClient"
import { Misconfigured, StoreUnavailable } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { isIP } from "node:net"
import { SqlDatabase } from "../database/SqlDatabase.ts"
import { postgresProblem } from "./PostgresProblem.ts"
import { isLocal, parsePostgresUrl, postgresUrlProblem, type PostgresAddress } from "./PostgresUrl.ts"

/** Which database, and who we are there. */
export interface PostgresConnectionOptions {
  /**
   * `postgres://[user:password@]host[:port]/database[?sslmode=…]`. Without `sslmode` the connection is encrypted and the
   * server's certificate is checked, unless the server is on this machine.
   */
  readonly url: Redacted.Redacted
  /** Instead of those in the URL. */
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  /** For TLS: PEM of the authorities that are trusted instead of the system's. */
  readonly authorities?: string | undefined
  /** How long it may take until PostgreSQL has taken a connection and the login. Default: 5 seconds. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * A `SqlClient` on PostgreSQL 12 or newer, with ten connections at most, through `@effect/sql-pg`. One that is lost is
 * made again when it is needed.
 *
 * @example
 * ```ts
 * import { SqlTokenStore } from "@secure-mcp/token-cache-sql"
 * import { PostgresConnection } from "@secure-mcp/token-cache-sql/postgres"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const database = PostgresConnection.layer({ url: Redacted.make("postgres://gateway@db.example/gateway") })
 * const store = SqlTokenStore.layer({ encryptionKey: Redacted.make("the output of: openssl rand -base64 32") })
 *
 * export const tokens = Layer.provide(store, database)
 * ```
 */
export const PostgresConnection = {
  /**
   * Fails with `Misconfigured` for a URL that is none. Whether PostgreSQL can be reached shows when the first statement
   * runs, which is when `SqlTokenStore` is built.
   */
  layer: (
    options: PostgresConnectionOptions
  ): Layer.Layer<SqlClient.SqlClient, Misconfigured | StoreUnavailable> =>
    Layer.effectContext(
      Effect.gen(function* () {
        const address = parsePostgresUrl(options.url)
        if (address === undefined)
          return yield* new Misconfigured({
            problem: `the URL of PostgreSQL ${postgresUrlProblem(options.url) ?? ""}`
          })
        const name = `PostgreSQL at ${address.place}`
        const client = yield* PgClient.make({
          url: options.url,
          ...(options.username === undefined ? {} : { username: options.username }),
          ...(options.password === undefined ? {} : { password: options.password }),
          ...tlsOptions(address, options.authorities),
          connectTimeout: options.timeout ?? "5 seconds",
          applicationName: "secure-mcp"
        }).pipe(
          Effect.provide(Reactivity.layer),
          Effect.mapError((error) => new StoreUnavailable({ problem: `${name} ${postgresProblem(error)}` }))
        )
        return Context.make(SqlClient.SqlClient, client).pipe(
          Context.add(SqlDatabase, { name, problemOf: postgresProblem })
        )
      })
    )
}

/** Set here so that no environment variable (NODE_TLS_REJECT_UNAUTHORIZED) turns the checks off. */
const tlsOptions = ({ host, sslMode }: PostgresAddress, authorities: string | undefined) => {
  const mode = sslMode ?? (isLocal(host) ? "disable" : "verify-full")
  if (mode === "disable") return { ssl: false }
  // The client tries TLS first, and goes on without it only if the server has none.
  if (mode === "prefer" || mode === "allow") return {}
  return {
    ssl: {
      rejectUnauthorized: true,
      // SNI is for names only (RFC 6066 §3).
      ...(isIP(host) === 0 && !host.startsWith("/") ? { servername: host } : {}),
      ...(authorities === undefined ? {} : { ca: authorities })
    }
  }
}
