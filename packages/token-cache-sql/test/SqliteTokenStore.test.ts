import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { startScript } from "@secure-mcp/testing"
import { TokenStore } from "@secure-mcp/token-cache"
import { SqliteConnection, SqliteKeyFile } from "@secure-mcp/token-cache-sql/sqlite"
import {
  crashContract,
  EncryptedStore,
  encryptionContract,
  renewThroughOutage,
  StoreProcesses,
  tokenStoreContract
} from "@secure-mcp/token-cache/testing"
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { keyOf, makeSqlitePath, openInstances, openSqlite, recordLog, text, tokenOf } from "./stores.ts"

const script = new URL("storeProcess.ts", import.meta.url)

const start = (path: string, task: string) =>
  Effect.tap(startScript(script, "sqlite", path, task), ({ nextLine }) => nextLine)

const layer = Layer.effect(
  TokenStore,
  Effect.map(
    Effect.flatMap(makeSqlitePath, (path) => openSqlite(path)),
    ({ store }) => store
  )
)

describe("SqlTokenStore on SQLite as a TokenStore", () => {
  for (const { effect, name } of tokenStoreContract) it.effect(name, () => Effect.provide(effect, layer))
})

describe.concurrent("SqlTokenStore on SQLite when its process is killed", () => {
  for (const { effect, name } of crashContract)
    it.live(`the SQLite store ${name}`, () =>
      Effect.flatMap(makeSqlitePath, (path) =>
        Effect.provideService(effect, StoreProcesses, {
          start: (task) => start(path, task),
          reopen: Effect.map(openSqlite(path), ({ store }) => store)
        })
      )
    )
})

describe("the encryption of SqlTokenStore on SQLite", () => {
  for (const { effect, name } of encryptionContract)
    it.effect(`the SQLite store ${name}`, () =>
      Effect.flatMap(makeSqlitePath, (path) =>
        Effect.provideService(effect, EncryptedStore, {
          open: (keys) => Effect.map(openSqlite(path, keys), ({ store }) => store),
          bytes: Effect.sync(() => ["", "-wal"].map((suffix) => readFileSync(path + suffix)))
        })
      )
    )
})

describe("several processes on one SQLite file", () => {
  it.live("three processes that start at once on a SQLite file make its tables once and share a lease", () =>
    Effect.gen(function* () {
      const path = yield* makeSqlitePath
      const ends = yield* Effect.forEach(
        [1, 2, 3],
        () => Effect.flatMap(start(path, "40"), ({ nextLine }) => nextLine),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(ends, ["counted", "counted", "counted"])
      const { sql, store } = yield* openSqlite(path)
      const entry = yield* store.get(keyOf("counter"))
      assert.strictEqual(entry._tag === "Stored" ? entry.token.scope?.[0] : undefined, "120")
      assert.lengthOf(yield* sql`SELECT * FROM mcp_oauth_migrations`, 1)
    })
  )

  it.live("no refresh token is sent twice while a SQLite file is locked, and renewals go on", () =>
    Effect.gen(function* () {
      const path = yield* makeSqlitePath
      const { sql } = yield* openSqlite(path)
      const outage = Effect.orDie(sql.withTransaction(Effect.sleep("6 seconds")))
      const caches = yield* openInstances(SqliteConnection.layer({ url: path }))
      assert.isUndefined(yield* renewThroughOutage(caches, outage))
    })
  )
})

describe("SqliteKeyFile", () => {
  it.live("the key file of SQLite is made once, for its owner only, and read by every later process", () =>
    Effect.gen(function* () {
      const path = yield* makeSqlitePath
      const keys = yield* Effect.forEach([1, 2, 3], () => SqliteKeyFile.readOrMake(`file://${path}`), {
        concurrency: "unbounded"
      })
      assert.strictEqual(new Set(keys.map(Redacted.value)).size, 1)
      assert.isAtLeast(Redacted.value(keys[0]!).length, 32)
      assert.strictEqual(statSync(`${path}.key`).mode & 0o777, 0o600)
      assert.deepStrictEqual(readdirSync(dirname(path)), ["tokens.db.key"])
    })
  )

  it.live("a key file of SQLite without a key is an error, and is not replaced", () =>
    Effect.gen(function* () {
      const path = yield* makeSqlitePath
      yield* SqliteKeyFile.readOrMake(path)
      writeFileSync(`${path}.key`, "short")
      const error = yield* Effect.flip(SqliteKeyFile.readOrMake(path))
      assert.include(error.message, `the key file ${path}.key holds no key. Restore it`)
      assert.strictEqual(readFileSync(`${path}.key`, "utf8"), "short")
    })
  )
})

describe("the file of SQLite", () => {
  it.live("the file of SQLite is readable by its owner only", () =>
    Effect.gen(function* () {
      const path = yield* makeSqlitePath
      const { store } = yield* openSqlite(path)
      yield* store.set(keyOf("a"), tokenOf("a"), Duration.hours(1))
      for (const suffix of ["", "-wal", "-shm"])
        assert.strictEqual(statSync(path + suffix).mode & 0o777, 0o600)
    })
  )

  it.live("a SQLite file that is open to other users is closed to them, with a warning", () => {
    const log = recordLog()
    return Effect.gen(function* () {
      const path = yield* makeSqlitePath
      yield* Effect.scoped(openSqlite(path))
      chmodSync(path, 0o644)
      yield* openSqlite(path)
      assert.strictEqual(statSync(path).mode & 0o777, 0o600)
      assert.deepStrictEqual(log.lines, [
        `Warn The file ${path} was open to other users of this machine. It is closed to them now`
      ])
    }).pipe(Effect.provide(log.layer))
  })

  for (const [how, urlOf] of [
    ["a path", (path: string) => path],
    ["a file URL", (path: string) => `file://${path}`],
    ["a sqlite URL", (path: string) => `sqlite://${path}`]
  ] as const)
    it.live(`SqliteConnection opens the same file by ${how}`, () =>
      Effect.gen(function* () {
        const path = yield* makeSqlitePath
        yield* Effect.flatMap(openSqlite(urlOf(path)), ({ store }) =>
          store.set(keyOf("a"), tokenOf("a"), Duration.hours(1))
        ).pipe(Effect.scoped)
        assert.strictEqual(text(yield* (yield* openSqlite(path)).store.get(keyOf("a"))), "a")
      })
    )

  for (const url of [
    "",
    ":memory:",
    "file::memory:",
    "sqlite:",
    "file:///tmp/x?mode=memory",
    "file://host/x",
    "http://x"
  ])
    it.live(`SqliteConnection refuses a URL that names no file: "${url}"`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(openSqlite(url))
        assert.strictEqual(error._tag, "Misconfigured")
        assert.include(error.message, "must be the path of a file")
      })
    )

  it.live("a file that is none of SQLite is an error that says so", () =>
    Effect.gen(function* () {
      const path = yield* makeSqlitePath
      yield* Effect.scoped(openSqlite(path))
      writeFileSync(path, "no database".repeat(1000))
      const error = yield* Effect.flip(openSqlite(path))
      assert.strictEqual(error._tag, "StoreUnavailable")
      assert.include(error.message, `the SQLite file ${path} is not a file of SQLite. Configure another path`)
    })
  )

  it.live("a SQLite file in a place that cannot be used is an error that says so", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(openSqlite("/dev/null/tokens.db"))
      assert.strictEqual(error._tag, "StoreUnavailable")
      assert.include(error.message, "the SQLite file /dev/null/tokens.db cannot be opened (EEXIST)")
    })
  )

  it.live("a SQLite file that another process keeps locked is an error within the time limit", () =>
    Effect.gen(function* () {
      const path = yield* makeSqlitePath
      const { store } = yield* openSqlite(path)
      const { sql } = yield* openSqlite(path)
      const took = yield* sql.withTransaction(Effect.timed(Effect.flip(store.checkWritable)))
      assert.include(took[1].problem, "is locked by another process")
    })
  )
})
