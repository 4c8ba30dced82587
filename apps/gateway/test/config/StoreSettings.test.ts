import { assert, describe, layer } from "@effect/vitest"
import { assertNoCanary, canary } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { entryWith, load, problemsOf, TestLayer, writeFile } from "./configFile.ts"

const good = "a-good-key-of-32-characters-or-more"
const withStore = (store: object) => ({ store, servers: [entryWith()] })

describe("the store of a configuration", () => {
  layer(TestLayer)((it) => {
    it.effect("the store can be Redis at the address in REDIS_URL", () =>
      Effect.gen(function* () {
        const document = withStore({ type: "redis", encryption_key: good })
        const { store } = yield* load(document, { REDIS_URL: "rediss://gateway:pw@redis.example:6380/2" })
        assert.strictEqual(Redacted.value(store.url!), "rediss://gateway:pw@redis.example:6380/2")
        assert.deepStrictEqual(yield* problemsOf(document), [
          "store.url: the environment variable REDIS_URL is not set or empty: export it, or write the value here"
        ])
      })
    )

    it.effect("the store can be Redis at the address in the file", () =>
      Effect.gen(function* () {
        const store = {
          type: "redis",
          url: "redis://127.0.0.1:6379",
          username: "gateway",
          password: "${env:PASSWORD}",
          key_prefix: "team-a",
          encryption_key: "${env:KEY}",
          previous_encryption_keys: ["${env:OLD_KEY}"]
        }
        const env = { PASSWORD: "pw", KEY: good, OLD_KEY: `old-${good}`, REDIS_URL: "redis://elsewhere" }
        const config = yield* load(withStore(store), env)
        assert.strictEqual(Redacted.value(config.store.url!), "redis://127.0.0.1:6379")
        assert.strictEqual(config.store.keyPrefix, "team-a")
        assert.strictEqual(Redacted.value(config.store.password!), "pw")
        assert.strictEqual(Redacted.value(config.store.encryptionKey!), good)
      })
    )

    it.effect("the store can be Redis behind Sentinel, and a Redis Cluster", () =>
      Effect.gen(function* () {
        const common = { type: "redis", encryption_key: good, url: "rediss://gateway:pw@a:1,b,c:3" }
        const sentinel = yield* load(
          withStore({ ...common, sentinel_name: "mymaster", sentinel_password: "${env:SENTINEL}" }),
          { SENTINEL: "secret" }
        )
        assert.strictEqual(sentinel.store.sentinelName, "mymaster")
        assert.strictEqual(Redacted.value(sentinel.store.sentinelPassword!), "secret")
        assert.isTrue((yield* load(withStore({ ...common, cluster: true }))).store.cluster)
      })
    )

    it.effect("the store can be SQLite or PostgreSQL, and the password in its address is not shown", () =>
      Effect.gen(function* () {
        const url = "postgres://gateway:pw-1234@db.example/tokens?sslmode=verify-full"
        const postgres = yield* load(
          withStore({ type: "postgres", url: "${env:DATABASE_URL}", encryption_key: good }),
          {
            DATABASE_URL: url
          }
        )
        assert.strictEqual(Redacted.value(postgres.store.url!), url)
        assert.notInclude(JSON.stringify(postgres.store) + String(postgres.store.url), "pw-1234")
        const sqlite = yield* load(withStore({ type: "sqlite", url: "file:///var/lib/gateway/tokens.db" }))
        assert.strictEqual(Redacted.value(sqlite.store.url!), "file:///var/lib/gateway/tokens.db")
      })
    )

    it.effect.each([
      [
        "a key that it makes no use of",
        { type: "memory", directory: "/tokens", encryption_key: good, keyy: 1 },
        [
          "store.keyy: unknown key",
          'store.directory: has no effect unless `type` is "file"',
          'store.encryption_key: has no effect unless `type` is "file", "redis", "postgres" or "sqlite"'
        ]
      ],
      [
        "Redis without saying so",
        { url: "redis://h", key_prefix: "p" },
        [
          'store.url: has no effect unless `type` is "redis", "postgres" or "sqlite"',
          'store.key_prefix: has no effect unless `type` is "redis"'
        ]
      ],
      [
        "Redis without a key to encrypt with",
        { type: "redis", url: "redis://h", directory: "/tokens" },
        [
          'store.directory: has no effect unless `type` is "file"',
          'store.encryption_key: required with type "redis". A good one comes from: openssl rand -base64 32'
        ]
      ],
      [
        "several hosts without Sentinel or Cluster",
        { type: "redis", url: "redis://a,b", encryption_key: good, sentinel_password: "p" },
        [
          "store.sentinel_password: has no effect without `sentinel_name`",
          "store.url: must be redis://[user:password@]host[:port][/database], or rediss:// for TLS. It names several hosts: that is for Sentinel and Cluster, if one of them is configured"
        ]
      ],
      [
        "Sentinel and Cluster at once",
        {
          type: "redis",
          url: "redis://a,b/1",
          encryption_key: good,
          sentinel_name: "mymaster",
          cluster: true
        },
        [
          "store.cluster: a cluster has no sentinels: leave it out, or `sentinel_name`",
          "store.url: names a database, of which a cluster has only the first one (0)"
        ]
      ],
      [
        "PostgreSQL without an address and a key to encrypt with",
        { type: "postgres", key_prefix: "p" },
        [
          'store.key_prefix: has no effect unless `type` is "redis"',
          'store.encryption_key: required with type "postgres". A good one comes from: openssl rand -base64 32',
          'store.url: required with type "postgres"'
        ]
      ],
      [
        "what is none of PostgreSQL",
        { type: "postgres", url: "postgres://h/d?sslrootcert=ca.pem", encryption_key: good },
        [
          "store.url: does not take sslrootcert: the authorities to trust are configured beside the URL (`ca_bundle_path`)"
        ]
      ],
      [
        "SQLite with what is PostgreSQL's, in memory",
        { type: "sqlite", url: ":memory:", username: "u" },
        [
          'store.username: has no effect unless `type` is "redis" or "postgres"',
          "store.url: must be the path of a file, or a URL such as file:///var/lib/gateway/tokens.db"
        ]
      ],
      [
        "keys that can be guessed",
        { type: "file", encryption_key: "short", previous_encryption_keys: [good, "x".repeat(40)] },
        [
          "store.encryption_key: is too short: it needs at least 32 characters. A good one comes from: openssl rand -base64 32",
          "store.previous_encryption_keys[1]: is too easy to guess: it needs at least 8 different characters. A good one comes from: openssl rand -base64 32"
        ]
      ],
      [
        "what is none of Redis",
        {
          type: "redis",
          url: "http://h",
          encryption_key: good,
          key_prefix: "{a}",
          ca_bundle_path: "/nonexistent/ca.pem"
        },
        [
          "store.key_prefix: must be letters, digits, `.`, `_`, `:`, `-`",
          "store.url: must be redis://[user:password@]host[:port][/database], or rediss:// for TLS",
          "store.ca_bundle_path: names a file that does not exist: /nonexistent/ca.pem. Check the path"
        ]
      ]
    ] as const)("a store setting is refused: %s", ([, store, problems]) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* problemsOf(withStore(store)), [...problems])
      })
    )

    it.effect("the problems of a store setting show no secret", () =>
      Effect.gen(function* () {
        const secrets = [canary("password"), canary("key")]
        const [password, key] = secrets
        const problems = yield* problemsOf(
          withStore({
            type: "redis",
            url: `redis://user:${password}@h/name`,
            encryption_key: key,
            extra: key
          })
        )
        problems.push(
          ...(yield* problemsOf(
            withStore({
              type: "postgres",
              url: `postgres://u:${password}@h/d?sslmode=x`,
              encryption_key: key
            })
          ))
        )
        assert.isAtLeast(problems.length, 3)
        assertNoCanary(problems, secrets)
      })
    )

    it.effect("the store can be Redis over TLS with its own authorities, if their file exists", () =>
      Effect.gen(function* () {
        const ca_bundle_path = yield* writeFile("ca.pem", "no certificate")
        const problems = yield* problemsOf(
          withStore({ type: "redis", url: "rediss://h", encryption_key: good, ca_bundle_path })
        )
        assert.match(problems.join(), /^store\.ca_bundle_path: holds no PEM certificate/)
      })
    )
  })
})
