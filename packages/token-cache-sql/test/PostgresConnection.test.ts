import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { assertNoCanary, canary, Certificates, refusedPort } from "@secure-mcp/testing"
import type { TokenStore } from "@secure-mcp/token-cache"
import { renewThroughOutage } from "@secure-mcp/token-cache/testing"
import { PostgresConnection, postgresUrlProblem } from "@secure-mcp/token-cache-sql/postgres"
import { usePostgres } from "./postgres.ts"
import { keyOf, openInstances, openPostgres, text, tokenOf } from "./stores.ts"

const authorities = await Effect.runPromise(
  Effect.gen(function* () {
    const authority = yield* Certificates.makeAuthority("PostgreSQL CA")
    const stranger = yield* Certificates.makeAuthority("PostgreSQL CA")
    return { authority, stranger, server: yield* authority.issueServer() }
  }).pipe(Effect.provide(NodeServices.layer))
)

const postgres = usePostgres({
  tls: authorities.server,
  access: [
    "hostssl all encrypted 127.0.0.1/32 trust",
    "host all encrypted 127.0.0.1/32 reject",
    "host all secret 127.0.0.1/32 scram-sha-256",
    "host all all 127.0.0.1/32 trust"
  ]
})
const forever = Duration.infinity

const untilItWorks = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.retry(effect, { times: 600, schedule: Schedule.spaced("100 millis") }).pipe(Effect.orDie)

const everyOperation = (store: TokenStore["Service"]): ReadonlyArray<Effect.Effect<unknown, Error>> => [
  store.get(keyOf("a")),
  store.set(keyOf("a"), tokenOf("b"), forever),
  store.remove(keyOf("a")),
  store.list,
  store.checkWritable,
  store.lease(keyOf("a"), Duration.minutes(1))
]

describe("a PostgreSQL that is away", () => {
  it.live("a PostgreSQL that was killed is an error at once, and used again when it is back", (context) =>
    Effect.gen(function* () {
      const server = postgres.serverOr(context)
      const { store } = yield* openPostgres(server.url)
      yield* store.set(keyOf("a"), tokenOf("a"), forever)
      yield* server.kill
      yield* Effect.addFinalizer(() => server.restart)
      for (const operation of everyOperation(store))
        assert.match(
          (yield* Effect.flip(operation)).message,
          /PostgreSQL at 127\.0\.0\.1:\d+ (?:is not connected|cannot be reached: )/
        )
      yield* server.restart
      assert.strictEqual(text(yield* untilItWorks(store.get(keyOf("a")))), "a")
    })
  )

  it.live(
    "no refresh token is sent twice while PostgreSQL is killed and started again, and renewals go on",
    (context) =>
      Effect.gen(function* () {
        const server = postgres.serverOr(context)
        const database = PostgresConnection.layer({ url: Redacted.make(server.url) })
        const outage = server.kill.pipe(
          Effect.andThen(Effect.sleep("500 millis")),
          Effect.andThen(server.restart)
        )
        assert.isUndefined(yield* renewThroughOutage(yield* openInstances(database), outage))
      })
  )

  it.live(
    "a PostgreSQL that does not answer is an error within the time limit for every operation, and used again later",
    (context) =>
      Effect.gen(function* () {
        const server = postgres.serverOr(context)
        const { store } = yield* openPostgres(server.url)
        yield* server.pause
        yield* Effect.addFinalizer(() => server.resume)
        const [took] = yield* Effect.timed(
          Effect.forEach(
            everyOperation(store),
            (operation) =>
              Effect.map(Effect.uninterruptible(Effect.flip(operation)), ({ message }) =>
                assert.match(message, /does not answer|in time|is not connected/)
              ),
            { concurrency: "unbounded" }
          )
        )
        yield* server.resume
        assert.isBelow(Duration.toSeconds(took), 20)
        yield* untilItWorks(store.set(keyOf("a"), tokenOf("a"), forever))
      })
  )

  it.live("a PostgreSQL that is unreachable from the start is an error that says the address", () =>
    Effect.gen(function* () {
      const port = yield* refusedPort
      const error = yield* Effect.flip(openPostgres(`postgres://u:secret@127.0.0.1:${port}/d`))
      assert.strictEqual(error._tag, "StoreUnavailable")
      assert.include(error.message, `PostgreSQL at 127.0.0.1:${port} cannot be reached: connection refused`)
    })
  )
})

describe("the user of PostgreSQL", () => {
  it.live(
    "the password of PostgreSQL is taken from the URL or from its own setting, and never shown",
    (context) =>
      Effect.gen(function* () {
        const server = postgres.serverOr(context)
        const [right, wrong] = [canary("p@ss:word/"), canary("wrong")]
        yield* server.query(`CREATE ROLE secret LOGIN SUPERUSER PASSWORD '${right}'`)
        const urlOf = (password: string) =>
          `postgres://secret:${encodeURIComponent(password)}@127.0.0.1:${server.port}/postgres`
        yield* (yield* openPostgres(urlOf(right))).store.checkWritable
        const own = { username: "secret", password: Redacted.make(right) }
        yield* (yield* openPostgres(server.url, undefined, own)).store.checkWritable
        const refused = yield* Effect.flip(openPostgres(urlOf(wrong)))
        assert.include(
          refused.message,
          `PostgreSQL at 127.0.0.1:${server.port} refuses the user name or the password`
        )
        assertNoCanary(refused, [right, wrong])
      })
  )

  it.live("a user of PostgreSQL that may not write is an error that says what to grant", (context) =>
    Effect.gen(function* () {
      const url = yield* postgres.databaseOr(context)
      const server = postgres.serverOr(context)
      yield* server.query(`DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN END $$`)
      const error = yield* Effect.flip(openPostgres(url.replace("postgres@", "reader@")))
      assert.include(error.message, "does not allow this user what is needed. Grant it")
    })
  )

  it.live("a database that PostgreSQL does not have is an error that says so", (context) =>
    Effect.gen(function* () {
      const { url } = postgres.serverOr(context)
      const error = yield* Effect.flip(openPostgres(url.replace(/postgres$/, "missing")))
      assert.include(error.message, "has no such database. Create it, or check the URL")
    })
  )

  it.live("a PostgreSQL that takes no writes is an error before a refresh token is used", (context) =>
    Effect.gen(function* () {
      const { sql, store } = yield* openPostgres(yield* postgres.databaseOr(context))
      const [row] = yield* sql<{ name: string }>`SELECT current_database() AS name`
      yield* store.set(keyOf("a"), tokenOf("a"), forever)
      yield* postgres
        .serverOr(context)
        .query(`ALTER DATABASE ${row?.name} SET default_transaction_read_only = on`)
      const later = yield* openPostgres(
        `${postgres.serverOr(context).url.replace(/postgres$/, "")}${row?.name}`
      )
      assert.strictEqual(text(yield* later.store.get(keyOf("a"))), "a")
      assert.include(
        (yield* Effect.flip(later.store.checkWritable)).problem,
        "is a standby, which cannot be written"
      )
    })
  )
})

describe("TLS to PostgreSQL", () => {
  const urlOf = (port: number, host: string, sslMode: string) =>
    `postgres://encrypted@${host}:${port}/postgres?sslmode=${sslMode}`

  it.live(
    "TLS to PostgreSQL trusts the configured authorities, and the URL says whether it is used",
    (context) =>
      Effect.gen(function* () {
        const { port, query } = postgres.serverOr(context)
        yield* query(
          `DO $$ BEGIN CREATE ROLE encrypted LOGIN SUPERUSER; EXCEPTION WHEN duplicate_object THEN END $$`
        )
        const trusted = { authorities: authorities.authority.certificatePem }
        for (const [host, mode] of [
          ["127.0.0.1", "require"],
          ["localhost", "verify-full"]
        ] as const)
          yield* (yield* openPostgres(urlOf(port, host, mode), undefined, trusted)).store.checkWritable
        const plain = yield* Effect.flip(
          openPostgres(urlOf(port, "127.0.0.1", "disable"), undefined, trusted)
        )
        assert.include(plain.message, "refuses the user name or the password")
      })
  )

  it.live("TLS to PostgreSQL refuses an untrusted server, whatever the environment says", (context) =>
    Effect.gen(function* () {
      const { port } = postgres.serverOr(context)
      yield* acceptAnyCertificate
      const untrusted = { authorities: authorities.stranger.certificatePem }
      const error = yield* Effect.flip(
        openPostgres(urlOf(port, "127.0.0.1", "require"), undefined, untrusted)
      )
      assert.include(error.message, "its certificate is not of an authority that is trusted here")
    })
  )
})

describe("the URL of PostgreSQL", () => {
  for (const [url, advice] of [
    ["http://h/d", "must be postgres://"],
    ["not a URL", "must be postgres://"],
    ["postgres://u:100%secret@h/d", "A percent sign in it is written as %25"],
    ["postgres://u:secret@h/d?sslmode=yes", "must be postgres://"],
    ["postgres://u:secret@h/d?sslrootcert=/ca.pem", "`ca_bundle_path`"],
    ["postgres://u:secret@h/d?target_session_attrs=any", "does not take the parameter target_session_attrs"]
  ] as const)
    it.live(`an invalid URL of PostgreSQL is refused without being quoted: ${url}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(openPostgres(url))
        assert.strictEqual(error._tag, "Misconfigured")
        assert.include(error.message, advice)
        assert.notInclude(error.message, "secret")
      })
    )

  it("each usual form of a URL of PostgreSQL is taken", () => {
    for (const url of [
      "postgres://h/d",
      "postgresql://u:p%25w@h:6432/d?sslmode=verify-full&application_name=x",
      "postgres:///d?user=u&host=/var/run/postgresql",
      "postgres://u@[::1]/d?options=-csearch_path%3Dgateway&connect_timeout=3"
    ])
      assert.isUndefined(postgresUrlProblem(Redacted.make(url)))
  })
})

/** Sets the switch of Node that turns certificate checks off, until the test is over. */
const acceptAnyCertificate = Effect.acquireRelease(
  Effect.sync(() => {
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0"
  }),
  () =>
    Effect.sync(() => {
      delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"]
    })
)
