import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { assertNoCanary, canary, Certificates, refusedPort } from "@secure-mcp/testing"
import { TokenStore } from "@secure-mcp/token-cache"
import { RedisConnection, RedisTokenStore, type RedisConnectionOptions } from "@secure-mcp/token-cache-redis"
import { keyOf, openStore, recordLog, secretOf, text, tokenOf, useRedisProgram } from "./redis.ts"

const redis = useRedisProgram()
const forever = Duration.infinity

const openWith = (options: Omit<RedisConnectionOptions, "url"> & { readonly url: string }) =>
  RedisTokenStore.layer({ encryptionKey: secretOf("one") }).pipe(
    Layer.provide(RedisConnection.layer({ ...options, url: Redacted.make(options.url) })),
    Layer.build,
    Effect.flatMap((services) => Effect.provide(TokenStore, services))
  )

/** What the manual says a user has to be allowed. */
const permissions =
  "+hget +hset +hdel +get +set +del +exists +pexpire +persist +zadd +zrem +zrange +zremrangebyscore +time +evalsha +script|load"

/** Tries until the connection is there again, for ten seconds at most. */
const untilItWorks = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.retry(effect, { times: 600, schedule: Schedule.spaced("100 millis") }).pipe(Effect.orDie)

describe("an unavailable Redis", () => {
  it.live("an unreachable Redis is an error at once, and the client connects again later", (context) => {
    const log = recordLog()
    return Effect.gen(function* () {
      const server = yield* redis.start(context)
      const { store } = yield* openStore({ url: server.url })
      yield* store.set(keyOf("a"), tokenOf("a"), forever)
      yield* server.kill
      const errors = yield* Effect.forEach(
        [
          store.get(keyOf("a")),
          store.set(keyOf("a"), tokenOf("b"), forever),
          store.remove(keyOf("a")),
          store.list,
          store.checkWritable,
          store.lease(keyOf("a"), Duration.minutes(1))
        ],
        (operation) => Effect.flip(Effect.asVoid(operation))
      )
      for (const { problem } of errors)
        assert.strictEqual(
          problem,
          `Redis at 127.0.0.1:${server.port} is not connected. Check that it runs; the connection is tried again by itself`
        )
      yield* server.restart
      yield* untilItWorks(store.set(keyOf("a"), tokenOf("c"), forever))
      assert.strictEqual(text(yield* store.get(keyOf("a"))), "c")
      assert.deepStrictEqual(log.lines, [
        `Warn Redis at 127.0.0.1:${server.port} is away; the connection is tried again`,
        `Info Redis at 127.0.0.1:${server.port} is back`
      ])
    }).pipe(Effect.provide(log.layer))
  })

  it.live("an unresponsive Redis is an error within the time limit", (context) =>
    Effect.gen(function* () {
      const server = yield* redis.start(context)
      const { store } = yield* openStore({ url: server.url })
      yield* server.pause
      const { problem } = yield* Effect.flip(store.get(keyOf("a")))
      assert.strictEqual(problem, `Redis at 127.0.0.1:${server.port} does not answer. Check that it runs`)
      yield* server.resume
      yield* untilItWorks(store.set(keyOf("a"), tokenOf("a"), forever))
    })
  )

  it.live("an unresponsive Redis does not keep the process from ending", (context) =>
    Effect.gen(function* () {
      const server = yield* redis.start(context)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { store } = yield* openStore({ url: server.url })
          yield* server.pause
          yield* Effect.flip(store.get(keyOf("a")))
        })
      )
    })
  )

  it.live("a Redis that is unreachable from the start is an error that says the address", () =>
    Effect.gen(function* () {
      const port = yield* refusedPort
      const error = yield* Effect.flip(openStore({ url: `redis://127.0.0.1:${port}` }))
      assert.strictEqual(error._tag, "StoreUnavailable")
      assert.include(
        error.message,
        `Redis at 127.0.0.1:${port} cannot be reached: connection refused. Check its address`
      )
    })
  )
})

describe("a Redis that is a node of a cluster", () => {
  it.live("a Redis cluster node has all keys in one slot, so that each step can be one script", (context) =>
    Effect.gen(function* () {
      const server = yield* redis.start(context, { configuration: ["cluster-enabled yes"] })
      const { redis: client, store } = yield* openStore({ url: server.url })
      const allSlots = Array.from({ length: 16_384 }, (_, slot) => String(slot))
      yield* client.send("CLUSTER", "ADDSLOTS", ...allSlots)
      yield* untilItWorks(store.set(keyOf("a"), tokenOf("a"), forever))
      const lease = yield* store.lease(keyOf("a"), Duration.minutes(1))
      assert.isTrue(yield* lease!.set(tokenOf("b"), Duration.minutes(1)))
      assert.isTrue(yield* lease!.renew)
      yield* lease!.release
      assert.strictEqual(text((yield* store.list)[0]?.token), "b")
      const keys = yield* client.send<ReadonlyArray<string>>("KEYS", "*")
      const slots = yield* Effect.forEach(keys, (key) => client.send<number>("CLUSTER", "KEYSLOT", key))
      assert.strictEqual(new Set(slots).size, 1)
      assert.strictEqual(text(yield* store.remove(keyOf("a"))), "b")
    })
  )
})

describe("a Redis that refuses writes", () => {
  it.live("a Redis that refuses writes is an error before a refresh token is used", (context) =>
    Effect.gen(function* () {
      const server = yield* redis.start(context, {
        configuration: ["maxmemory 100kb", "maxmemory-policy noeviction"]
      })
      const { store } = yield* openStore({ url: server.url })
      assert.include(
        (yield* Effect.flip(store.checkWritable)).problem,
        "has no memory left for a write (OOM)"
      )
    })
  )
})

describe("the Redis user", () => {
  it.live("the Redis user is set in the URL or in its own setting", (context) =>
    Effect.gen(function* () {
      const password = canary("p@ss:word/")
      const { port } = yield* redis.start(context, {
        configuration: ["user default off", `user gateway on >${password} ~{mcp-oauth}:* ${permissions}`]
      })
      const inside = `redis://gateway:${encodeURIComponent(password)}@127.0.0.1:${port}/0`
      const store = yield* openWith({ url: inside })
      yield* store.checkWritable
      const lease = yield* store.lease(keyOf("a"), Duration.minutes(1))
      assert.isTrue(yield* lease!.set(tokenOf("a"), forever))
      assert.isTrue(yield* lease!.renew)
      yield* lease!.release
      yield* store.set(keyOf("a"), tokenOf("b"), Duration.minutes(1))
      assert.lengthOf(yield* store.list, 1)
      assert.strictEqual(text(yield* store.remove(keyOf("a"))), "b")
      const url = `redis://127.0.0.1:${port}`
      yield* (yield* openWith({ url, username: "gateway", password: Redacted.make(password) })).checkWritable
    })
  )

  it.live("a refused Redis login is an error that does not show the password", (context) =>
    Effect.gen(function* () {
      const [right, wrong] = [canary("right-password"), canary("wrong-password")]
      const { port } = yield* redis.start(context, { configuration: [`requirepass ${right}`] })
      const refused = yield* Effect.flip(openWith({ url: `redis://:${wrong}@127.0.0.1:${port}` }))
      assert.include(refused.message, `Redis at 127.0.0.1:${port} refuses the user name or the password`)
      assertNoCanary(refused, [right, wrong])
      const missing = yield* openWith({ url: `redis://127.0.0.1:${port}` }).pipe(
        Effect.flatMap((store) => store.checkWritable),
        Effect.flip
      )
      assert.include(missing.message, "asks for a password. Configure it")
    })
  )

  it.live("a Redis user without the required permissions is an error", (context) =>
    Effect.gen(function* () {
      const { port } = yield* redis.start(context, {
        configuration: ["user default on nopass ~* +@read +@connection +client"]
      })
      const store = yield* openWith({ url: `redis://127.0.0.1:${port}` })
      assert.include(
        (yield* Effect.flip(store.checkWritable)).problem,
        "does not allow this user what is needed"
      )
    })
  )
})

describe("an invalid URL", () => {
  for (const url of [
    "http://h:6379",
    "redis://h/name",
    "not a URL",
    "redis://user:secret-password@h:port",
    "redis://user:100%secret@h"
  ])
    it.live(`an invalid URL is refused without being quoted: ${url}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(openWith({ url }))
        assert.strictEqual(
          error.message,
          "the URL of Redis must be redis://[user:password@]host[:port][/database], or rediss:// for TLS"
        )
      })
    )
})

describe("TLS to Redis", () => {
  const makeTls = Effect.gen(function* () {
    const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
    const authority = yield* Certificates.makeAuthority("Redis CA")
    const files = yield* (yield* authority.issueServer()).writeTo(directory, "redis")
    const caBundlePath = yield* authority.writeTo(directory, "ca")
    return { authorities: authority.certificatePem, files: { ...files, caBundlePath } }
  }).pipe(Effect.provide(NodeServices.layer))

  it.live("TLS to Redis trusts the configured authorities", (context) =>
    Effect.gen(function* () {
      const { authorities, files } = yield* makeTls
      const { url } = yield* redis.start(context, { tls: files })
      const store = yield* openWith({ url, authorities })
      yield* store.set(keyOf("a"), tokenOf("a"), forever)
      assert.strictEqual(text(yield* store.get(keyOf("a"))), "a")
    })
  )

  it.live("TLS to Redis verifies an address as well as a name", (context) =>
    Effect.gen(function* () {
      const { authorities, files } = yield* makeTls
      const { port } = yield* redis.start(context, { tls: files })
      yield* (yield* openWith({ url: `rediss://127.0.0.1:${port}`, authorities })).checkWritable
    })
  )

  it.live("TLS to Redis refuses an untrusted server, whatever the environment says", (context) =>
    Effect.gen(function* () {
      const { files } = yield* makeTls
      const { url } = yield* redis.start(context, { tls: files })
      const stranger = yield* Certificates.makeAuthority("Redis CA")
      yield* acceptAnyCertificate
      const error = yield* Effect.flip(openWith({ url, authorities: stranger.certificatePem }))
      assert.include(
        error.message,
        "its certificate is not of an authority that is trusted here. See `ca_bundle_path`"
      )
    })
  )
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
