import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { startScript } from "@secure-mcp/testing"
import { TokenStore } from "@secure-mcp/token-cache"
import {
  ContractTime,
  crashContract,
  EncryptedStore,
  encryptionContract,
  StoreProcesses,
  tokenStoreContract
} from "@secure-mcp/token-cache/testing"
import { usePostgres } from "./postgres.ts"
import { keyOf, openPostgres, recordLog, secretOf, text, tokenOf } from "./stores.ts"

const postgres = usePostgres()
const forever = Duration.infinity
const script = new URL("storeProcess.ts", import.meta.url)

const start = (url: string, task: string) =>
  Effect.tap(startScript(script, "postgres", url, task), ({ nextLine }) => nextLine)

const storeAt = (url: string) => Effect.map(openPostgres(url), ({ store }) => store)

// Time passes in PostgreSQL, so the points wait for it together, each with keys of its own in one database.
describe.concurrent("SqlTokenStore on PostgreSQL as a TokenStore", () => {
  for (const { effect, name } of tokenStoreContract)
    it.live(name, (context) =>
      effect.pipe(
        Effect.provide(Layer.effect(TokenStore, storeAt(postgres.serverOr(context).url))),
        Effect.provideService(ContractTime, { pass: Effect.sleep })
      )
    )
})

describe("the encryption of SqlTokenStore on PostgreSQL", () => {
  for (const { effect, name } of encryptionContract)
    it.live(`the PostgreSQL store ${name}`, (context) =>
      Effect.flatMap(postgres.databaseOr(context), (url) =>
        Effect.provideService(effect, EncryptedStore, {
          open: (keys) => Effect.map(openPostgres(url, keys), ({ store }) => store),
          bytes: Effect.gen(function* () {
            const { sql } = yield* openPostgres(url, { encryptionKey: secretOf("reader") })
            const rows = yield* sql<{ all: string; record: Uint8Array }>`
              SELECT mcp_oauth_tokens::text AS all, record FROM mcp_oauth_tokens`
            return rows.flatMap(({ all, record }) => [new TextEncoder().encode(all), record])
          }).pipe(Effect.scoped)
        })
      )
    )
})

describe("several processes on one PostgreSQL", () => {
  it.live("instances that start at once on PostgreSQL make its tables once", (context) =>
    Effect.gen(function* () {
      const url = yield* postgres.databaseOr(context)
      const opened = yield* Effect.forEach(Array.from({ length: 8 }), () => openPostgres(url), {
        concurrency: "unbounded"
      })
      yield* opened[0]!.store.set(keyOf("a"), tokenOf("a"), forever)
      for (const { store } of opened) assert.strictEqual(text(yield* store.get(keyOf("a"))), "a")
      assert.lengthOf(yield* opened[0]!.sql`SELECT * FROM mcp_oauth_migrations`, 1)
    })
  )

  it.live("PostgreSQL gives a lease by its own time, whatever the clock of an instance says", (context) =>
    Effect.gen(function* () {
      const url = yield* postgres.databaseOr(context)
      const { sql, store } = yield* openPostgres(url)
      const lease = yield* store.lease(keyOf("a"), Duration.minutes(1))
      const [row] = yield* sql<{ seconds: number }>`
        SELECT CAST(leased_until / 1000.0 - extract(epoch FROM clock_timestamp()) AS double precision) AS seconds
        FROM mcp_oauth_tokens`
      assert.approximately(row?.seconds ?? 0, 60, 10)
      // Whoever has a clock that is an hour ahead gets it no earlier.
      const ahead = Effect.clockWith((clock) =>
        Effect.provideService(
          store.lease(keyOf("a"), Duration.minutes(1)),
          Clock.Clock,
          Object.create(clock, { currentTimeMillisUnsafe: { value: () => Date.now() + 3_600_000 } })
        )
      )
      assert.isUndefined(yield* ahead)
      yield* lease!.release
    })
  )

  it.live("the number of a lease in PostgreSQL rises even after its table was emptied", (context) =>
    Effect.gen(function* () {
      const { sql, store } = yield* openPostgres(yield* postgres.databaseOr(context))
      const early = yield* store.lease(keyOf("a"), Duration.minutes(1))
      yield* Effect.sleep("5 millis")
      yield* sql`DELETE FROM mcp_oauth_tokens`
      yield* store.set(keyOf("a"), tokenOf("later"), forever)
      assert.isFalse(yield* early!.set(tokenOf("early"), forever))
      assert.strictEqual(text(yield* store.get(keyOf("a"))), "later")
    })
  )
})

describe("a token in PostgreSQL that cannot be read", () => {
  it.live("a damaged record in PostgreSQL is set aside, with a warning", (context) => {
    const log = recordLog()
    return Effect.gen(function* () {
      const { sql, store } = yield* openPostgres(yield* postgres.databaseOr(context))
      yield* store.set(keyOf("a"), tokenOf("a"), forever)
      yield* sql`UPDATE mcp_oauth_tokens SET record = ${new Uint8Array([1, 2, 3])}`
      assert.isUndefined(text(yield* store.get(keyOf("a"))))
      assert.deepStrictEqual(yield* store.list, [])
      const [row] = yield* sql<{ damaged: Uint8Array }>`SELECT damaged FROM mcp_oauth_tokens`
      assert.deepStrictEqual(Array.from(row?.damaged ?? []), [1, 2, 3])
      assert.lengthOf(log.lines, 1)
      assert.match(
        log.lines[0] ?? "",
        /^Warn The token [0-9a-f]{64} in PostgreSQL at 127.0.0.1:\d+ cannot be used/
      )
      yield* store.set(keyOf("a"), tokenOf("b"), forever)
      assert.strictEqual(text(yield* store.get(keyOf("a"))), "b")
    }).pipe(Effect.provide(log.layer))
  })

  it.live("a record that was moved to another row of PostgreSQL is not returned for it", (context) =>
    Effect.gen(function* () {
      const { sql, store } = yield* openPostgres(yield* postgres.databaseOr(context))
      yield* store.set(keyOf("alice"), tokenOf("alice"), forever)
      const [hers] = yield* sql<{
        address: string
        record: Uint8Array
      }>`SELECT address, record FROM mcp_oauth_tokens`
      yield* store.set(keyOf("mallory"), tokenOf("mallory"), forever)
      yield* sql`UPDATE mcp_oauth_tokens SET record = ${hers!.record} WHERE address <> ${hers!.address}`
      assert.isUndefined(text(yield* store.get(keyOf("mallory"))))
      assert.strictEqual(text(yield* store.get(keyOf("alice"))), "alice")
    })
  )
})

describe("the rows of PostgreSQL", () => {
  it.live(
    "rows of PostgreSQL that nobody needs are deleted when a store is opened, and no others",
    (context) =>
      Effect.gen(function* () {
        const url = yield* postgres.databaseOr(context)
        const { sql, store } = yield* openPostgres(url)
        yield* store.set(keyOf("immortal"), tokenOf("a"), forever)
        yield* store.set(keyOf("expired"), tokenOf("a"), Duration.millis(1))
        yield* store.set(keyOf("removed"), tokenOf("a"), forever)
        yield* store.remove(keyOf("removed"))
        yield* (yield* store.lease(keyOf("leased"), Duration.minutes(1)))!.release
        yield* store.checkWritable
        yield* Effect.sleep("20 millis")
        const count = Effect.map(sql`SELECT address FROM mcp_oauth_tokens`, (rows) => rows.length)
        assert.strictEqual(yield* count, 4)
        yield* openPostgres(url)
        yield* Effect.retry(
          Effect.filterOrFail(count, (rows) => rows === 3),
          { times: 1500, schedule: Schedule.spaced("20 millis") }
        )
        assert.strictEqual(text(yield* store.get(keyOf("immortal"))), "a")
        assert.strictEqual((yield* store.get(keyOf("removed")))._tag, "Removed")
      })
  )
})

describe.concurrent("SqlTokenStore on PostgreSQL when its process is killed", () => {
  for (const { effect, name } of crashContract)
    it.live(`the PostgreSQL store ${name}`, (context) =>
      Effect.flatMap(postgres.databaseOr(context), (url) =>
        Effect.provideService(effect, StoreProcesses, {
          start: (task) => start(url, task),
          reopen: storeAt(url)
        })
      )
    )

  it.live("two processes on one PostgreSQL share a lease", (context) =>
    Effect.gen(function* () {
      const url = yield* postgres.databaseOr(context)
      const ends = yield* Effect.forEach(
        [1, 2],
        () => Effect.flatMap(start(url, "60"), ({ nextLine }) => nextLine),
        {
          concurrency: "unbounded"
        }
      )
      assert.deepStrictEqual(ends, ["counted", "counted"])
      const entry = yield* (yield* storeAt(url)).get(keyOf("counter"))
      assert.strictEqual(entry._tag === "Stored" ? entry.token.scope?.[0] : undefined, "120")
    })
  )
})
