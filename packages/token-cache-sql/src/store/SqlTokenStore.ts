import { StoreUnavailable, type Misconfigured, type OAuthToken, type TokenKey } from "@secure-mcp/oauth-core"
import {
  absent,
  makeTokenEncryption,
  tokenAddress,
  tokenOfEntry,
  TokenStore,
  type SealError,
  type StoreEntry,
  type TokenEncryptionOptions,
  type TokenLease,
  type TokenRecord
} from "@secure-mcp/token-cache"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { SqlDatabase } from "../database/SqlDatabase.ts"
import { migrate } from "./SqlMigrations.ts"
import { makeSqlStatements, type TokenRow } from "./SqlStatements.ts"

/**
 * Stores tokens in a table of SQLite or PostgreSQL, encrypted.
 *
 * @example
 * ```ts
 * import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
 * import { SqlTokenStore } from "@secure-mcp/token-cache-sql"
 * import { PostgresConnection } from "@secure-mcp/token-cache-sql/postgres"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const database = PostgresConnection.layer({
 *   url: Redacted.make("postgres://gateway:password@db.example/gateway?sslmode=verify-full")
 * })
 * const store = SqlTokenStore.layer({ encryptionKey: Redacted.make("the output of: openssl rand -base64 32") })
 *
 * export const cache = SingleFlightTokenCache.layer.pipe(Layer.provide(store), Layer.provide(database))
 * ```
 */
export const SqlTokenStore = {
  /**
   * Makes its tables if they are not there. Fails with `Misconfigured` for a weak key or a database of another kind,
   * with `StoreUnavailable` for one that cannot be used.
   */
  layer: (
    options: TokenEncryptionOptions
  ): Layer.Layer<TokenStore, Misconfigured | StoreUnavailable, SqlClient.SqlClient> =>
    Layer.effect(
      TokenStore,
      Effect.suspend(() => make(options))
    )
}

/** A database answers in milliseconds, or is away. */
const longestAnswer = "5 seconds"

const make = Effect.fnUntraced(function* (options: TokenEncryptionOptions) {
  const { name: place, problemOf } = yield* SqlDatabase
  const encryption = yield* makeTokenEncryption(options)
  const digest = yield* Digest.Digest
  yield* migrate
  const statements = makeSqlStatements(yield* SqlClient.SqlClient)
  const addressOf = (key: TokenKey) => Effect.provideService(tokenAddress(key), Digest.Digest, digest)

  const ask = <A>(step: string, statement: Effect.Effect<A, SqlError>): Effect.Effect<A, StoreUnavailable> =>
    statement.pipe(
      Effect.mapError((error) => new StoreUnavailable({ problem: `${place} ${problemOf(error)}` })),
      Effect.timeoutOrElse({
        duration: longestAnswer,
        orElse: () =>
          Effect.fail(new StoreUnavailable({ problem: `${place} does not answer. Check that it runs` }))
      }),
      Effect.withSpan(`Sql.${step}`)
    )

  const find = (address: string): Effect.Effect<Found, StoreUnavailable> =>
    Effect.flatMap(ask("read", statements.read(address)), (row) => interpret(address, row))

  /** What the row of a key means. A damaged record is set aside. */
  const interpret = (address: string, row: TokenRow | undefined): Effect.Effect<Found, StoreUnavailable> => {
    if (row === undefined) return Effect.succeed({ record: null, entry: absent })
    const { ended, record, removed_at: removedAt, written: revision } = row
    if (record === null || ended === 1)
      return Effect.succeed({
        record,
        entry: removedAt === null ? absent : { _tag: "Removed", revision, removedAt }
      })
    return Effect.flatMap(Effect.result(encryption.open(address, record)), (opened) => {
      if (Result.isSuccess(opened)) {
        const { key, token } = opened.success
        return Effect.succeed({ record, key, entry: { _tag: "Stored" as const, token, revision } })
      }
      return opened.failure._tag === "DamagedRecord"
        ? setAside(address, record, opened.failure)
        : Effect.fail(unusable(address, opened.failure))
    })
  }

  const setAside = Effect.fnUntraced(function* (
    address: string,
    record: Uint8Array,
    { message }: SealError
  ): Effect.fn.Return<Found, StoreUnavailable> {
    if (!(yield* ask("setAside", statements.setAside(address, record)))) return yield* find(address)
    yield* Effect.logWarning(
      `The token ${address} in ${place} cannot be used: ${message}. It was moved to the column \`damaged\``
    )
    return { record: null, entry: absent }
  })

  const unusable = (address: string, { message }: SealError) =>
    new StoreUnavailable({ problem: `the token ${address} in ${place}: ${message}` })

  const seal = (address: string, record: TokenRecord) => encryption.seal(address, record)

  const set: Store["set"] = Effect.fnUntraced(function* (key, token, timeToLive) {
    const address = yield* addressOf(key)
    // A record that another key is needed for must not be replaced unseen.
    yield* find(address)
    const record = yield* seal(address, { key, token })
    return yield* ask("write", statements.write(address, record, timeToLive))
  })

  const remove = (address: string): Effect.Effect<OAuthToken | undefined, StoreUnavailable> =>
    Effect.gen(function* () {
      const { entry, record } = yield* find(address)
      const isRemoved = yield* ask("remove", statements.remove(address, record))
      return isRemoved ? tokenOfEntry(entry) : yield* remove(address)
    })

  const removeLeased = (
    address: string,
    token: OAuthToken,
    lease: number
  ): Effect.Effect<void, StoreUnavailable> =>
    Effect.gen(function* () {
      const { entry, record } = yield* find(address)
      if (record === null || tokenOfEntry(entry)?.isSame(token) !== true) return
      const isRemoved = yield* ask("remove", statements.removeLeased(address, record, lease))
      if (!isRemoved) yield* removeLeased(address, token, lease)
    })

  const lease: Store["lease"] = Effect.fnUntraced(function* (key, timeToLive) {
    const address = yield* addressOf(key)
    const given = yield* ask("lease", statements.lease(address, timeToLive))
    if (given === undefined) return undefined
    const revision = given.given
    const release = ask("release", statements.release(address, revision))
    const { entry } = yield* Effect.onError(interpret(address, given), () => Effect.ignore(release))
    return {
      found: entry,
      revision,
      renew: ask("renew", statements.renew(address, revision, timeToLive)),
      set: (token, life) =>
        Effect.flatMap(seal(address, { key, token }), (record) =>
          ask("write", statements.writeLeased(address, record, life, revision))
        ),
      remove: (token) => removeLeased(address, token, revision),
      release
    } satisfies TokenLease
  }, Effect.uninterruptible)

  const list = Effect.gen(function* () {
    const rows = yield* ask("list", statements.list)
    const found = yield* Effect.forEach(rows, (row) => interpret(row.address, row), { concurrency: 16 })
    return found.flatMap(({ entry, key }) =>
      entry._tag === "Stored" && key !== undefined ? [{ key, token: entry.token }] : []
    )
  })

  yield* ask("sweep", statements.sweep).pipe(
    Effect.tapError(({ problem }) =>
      Effect.logDebug(`Old rows of the token store were not deleted: ${problem}`)
    ),
    Effect.ignore,
    Effect.repeat(Schedule.spaced("1 hour")),
    Effect.forkScoped
  )

  return TokenStore.of({
    get: (key) => Effect.map(Effect.flatMap(addressOf(key), find), ({ entry }) => entry),
    set,
    remove: (key) => Effect.flatMap(addressOf(key), remove),
    list,
    checkWritable: Effect.suspend(() => ask("probe", statements.probe(`probe-${crypto.randomUUID()}`))),
    lease
  })
}, Effect.provide(Digest.layerWebCrypto))

type Store = TokenStore["Service"]

/** What is stored for a key, and the sealed record, also one whose time to live is over. */
interface Found {
  readonly record: Uint8Array | null
  readonly key?: TokenKey
  readonly entry: StoreEntry
}
