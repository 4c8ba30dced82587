import { removalRecordLife } from "@secure-mcp/token-cache"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"

/** What the row of a key says. */
export interface TokenRow {
  /** The sealed token, also one whose time to live is over. */
  readonly record: Uint8Array | null
  /** 1 if the time to live is over. */
  readonly ended: number
  /** The number of the last write or removal. */
  readonly written: number
  /** Milliseconds since the epoch. */
  readonly removed_at: number | null
}

/** The row of a key, and the number of the lease that was given with it. */
export interface LeaseRow extends TokenRow {
  readonly given: number
}

/** How long what no token and no removal needs is remembered: longer than any process is late. */
const leaseNumberLife = Duration.toMillis(Duration.hours(1))
const removalLife = Duration.toMillis(removalRecordLife)

/** As large as a token that a careful server issues. */
const probeSize = 8192

/**
 * The steps of the store, each of them one statement, so that it needs no transaction and no lock that outlives it. The
 * time is that of PostgreSQL, so that the clocks of its clients need not agree; the file of SQLite is on this machine,
 * and its time is that of this process.
 */
export const makeSqlStatements = (sql: SqlClient) => {
  const isPostgres = sql.onDialectOrElse({ pg: () => true, orElse: () => false })
  const postgresTime = sql`CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)`
  const highest = sql.literal(isPostgres ? "greatest" : "max")

  const withNow = <A>(step: (now: Fragment) => Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
    isPostgres
      ? step(postgresTime)
      : Effect.flatMap(Clock.currentTimeMillis, (now) => step(sql`${Math.floor(now)}`))

  /** A number after all that were given for the key. */
  const nextNumber = (now: Fragment) =>
    sql`${highest}(${now}, mcp_oauth_tokens.given + 1, mcp_oauth_tokens.written + 1)`

  /** Both databases give a `double precision` as a number, which has room for these. */
  const fields = (now: Fragment) => sql`record,
    CASE WHEN ends_at <= ${now} THEN 1 ELSE 0 END AS ended,
    CAST(written AS double precision) AS written,
    CAST(removed_at AS double precision) AS removed_at`

  const endOf = (now: Fragment, timeToLive: Duration.Duration) =>
    Duration.isFinite(timeToLive) ? sql`${now} + ${Math.ceil(Duration.toMillis(timeToLive))}` : sql`NULL`

  const first = <A>(rows: ReadonlyArray<A>): A | undefined => rows[0]
  const isAny = (rows: ReadonlyArray<unknown>): boolean => rows.length > 0

  return {
    read: (address: string) =>
      Effect.map(
        withNow(
          (now) => sql<TokenRow>`SELECT ${fields(now)} FROM mcp_oauth_tokens WHERE address = ${address}`
        ),
        first
      ),

    /** All tokens whose time to live is not over. */
    list: withNow(
      (now) => sql<TokenRow & { readonly address: string }>`
        SELECT address, ${fields(now)} FROM mcp_oauth_tokens
        WHERE record IS NOT NULL AND (ends_at IS NULL OR ends_at > ${now})`
    ),

    /** Gives the lease, and what is stored; undefined while another one lasts. */
    lease: (address: string, timeToLive: Duration.Duration) =>
      Effect.map(
        withNow(
          (now) => sql<LeaseRow>`
            INSERT INTO mcp_oauth_tokens (address, given, leased_until)
            VALUES (${address}, ${now}, ${endOf(now, timeToLive)})
            ON CONFLICT (address) DO UPDATE
            SET given = ${nextNumber(now)}, leased_until = ${endOf(now, timeToLive)}
            WHERE mcp_oauth_tokens.leased_until <= ${now}
            RETURNING CAST(given AS double precision) AS given, ${fields(now)}`
        ),
        first
      ),

    /** Renews the lease, also one that has ended if no other was given; says whether it did. */
    renew: (address: string, lease: number, timeToLive: Duration.Duration) =>
      Effect.map(
        withNow(
          (now) => sql`
            UPDATE mcp_oauth_tokens SET leased_until = ${endOf(now, timeToLive)}
            WHERE address = ${address} AND given = ${lease} RETURNING address`
        ),
        isAny
      ),

    release: (address: string, lease: number) =>
      Effect.asVoid(
        withNow(
          (now) => sql`
            UPDATE mcp_oauth_tokens SET leased_until = ${now}
            WHERE address = ${address} AND given = ${lease} AND leased_until > ${now}`
        )
      ),

    /** Writes a record with a number of its own, which it gives. */
    write: (address: string, record: Uint8Array, timeToLive: Duration.Duration) =>
      Effect.map(
        withNow(
          (now) => sql<{ readonly written: number }>`
            INSERT INTO mcp_oauth_tokens (address, record, ends_at, written)
            VALUES (${address}, ${record}, ${endOf(now, timeToLive)}, ${now})
            ON CONFLICT (address) DO UPDATE
            SET record = excluded.record, ends_at = excluded.ends_at, removed_at = NULL, written = ${nextNumber(now)}
            RETURNING CAST(written AS double precision) AS written`
        ),
        (rows) => rows[0]?.written ?? 0
      ),

    /** Writes a record with the number of a lease, unless the last write has a higher one; says whether it did. */
    writeLeased: (address: string, record: Uint8Array, timeToLive: Duration.Duration, lease: number) =>
      Effect.map(
        withNow(
          (now) => sql`
            INSERT INTO mcp_oauth_tokens (address, record, ends_at, written, given)
            VALUES (${address}, ${record}, ${endOf(now, timeToLive)}, ${lease}, ${lease})
            ON CONFLICT (address) DO UPDATE
            SET record = excluded.record, ends_at = excluded.ends_at, removed_at = NULL, written = excluded.written
            WHERE mcp_oauth_tokens.written <= excluded.written
            RETURNING address`
        ),
        isAny
      ),

    /**
     * Removes the record if it is still the one that was seen, and remembers the removal, with a number above every
     * lease given so far; says whether it did.
     */
    remove: (address: string, seen: Uint8Array | null) =>
      Effect.map(
        withNow(
          (now) => sql`
            INSERT INTO mcp_oauth_tokens (address, written, removed_at) VALUES (${address}, ${now}, ${now})
            ON CONFLICT (address) DO UPDATE
            SET record = NULL, ends_at = NULL, removed_at = ${now}, written = ${nextNumber(now)}
            WHERE mcp_oauth_tokens.record IS NOT DISTINCT FROM ${seen}
            RETURNING address`
        ),
        isAny
      ),

    /** Removes the record with a lease, if it is still the one that was seen; says whether it did. */
    removeLeased: (address: string, seen: Uint8Array, lease: number) =>
      Effect.map(
        sql`
          UPDATE mcp_oauth_tokens SET record = NULL, ends_at = NULL, written = ${highest}(written, ${lease})
          WHERE address = ${address} AND record = ${seen} RETURNING address`,
        isAny
      ),

    /** Moves a record out of the way if it is still the one that was seen; says whether it did. */
    setAside: (address: string, seen: Uint8Array) =>
      Effect.map(
        withNow(
          (now) => sql`
            UPDATE mcp_oauth_tokens SET damaged = record, damaged_at = ${now}, record = NULL, ends_at = NULL
            WHERE address = ${address} AND record = ${seen} RETURNING address`
        ),
        isAny
      ),

    /** Writes a row, takes it away again and waits for the disk. */
    probe: (address: string) =>
      sql.withTransaction(
        Effect.andThen(
          sql`INSERT INTO mcp_oauth_tokens (address, damaged) VALUES (${address}, ${new Uint8Array(probeSize)})`,
          Effect.asVoid(sql`DELETE FROM mcp_oauth_tokens WHERE address = ${address}`)
        )
      ),

    /** Deletes what nobody needs any more. */
    sweep: withNow((now) =>
      Effect.andThen(
        sql`UPDATE mcp_oauth_tokens SET damaged = NULL, damaged_at = NULL WHERE damaged_at < ${now} - ${removalLife}`,
        Effect.asVoid(sql`
          DELETE FROM mcp_oauth_tokens
          WHERE (record IS NULL OR ends_at <= ${now}) AND damaged IS NULL
            AND leased_until < ${now} - ${leaseNumberLife}
            AND (removed_at IS NULL OR removed_at < ${now} - ${removalLife})`)
      )
    )
  }
}
