import { assert, describe, layer } from "@effect/vitest"
import { OAuthToken } from "@secure-mcp/oauth-core"
import { tokenFingerprint, tokenKeyOf } from "@secure-mcp/oauth-core/internal"
import { assertNoCanary, canary, redisProgram, RedisServer, requireProgram } from "@secure-mcp/testing"
import { TokenStore } from "@secure-mcp/token-cache"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { beforeAll } from "vitest"
import { gatewayStore } from "../../../../packages/gateway-server/src/GatewayStore.ts"
import { accessTokenRequest } from "../../../../packages/gateway-server/src/upstream/Servers.ts"
import { load, TestLayer, writeFile } from "../config/configFile.ts"
import { diagnosed, failures, startServers, statuses, stepOf } from "./Diagnosing.ts"

/** The store of a configuration, and the key of the first server's token in it. */
const openStore = Effect.fnUntraced(function* (document: object) {
  const config = yield* load(document)
  const [entry] = config.servers
  assert.isDefined(entry)
  const request = accessTokenRequest(entry, config, undefined)
  assert.isDefined(request)
  const fingerprint = yield* Effect.provide(
    tokenFingerprint(request.config, undefined, request.resourceUrl),
    Digest.layerWebCrypto
  )
  const store = Context.get(yield* Layer.build(gatewayStore(config)), TokenStore)
  return { store, key: tokenKeyOf(request, fingerprint) }
})

const encryption_key = "a-good-key-of-32-characters-or-more"

describe("the diagnosis of a store", () => {
  let program: string | undefined
  beforeAll(() => {
    program = requireProgram(redisProgram)
  })

  layer(TestLayer)((it) => {
    it.effect("a file store that cannot be used fails with its folder", () =>
      Effect.gen(function* () {
        const { entry } = yield* startServers()
        const directory = yield* writeFile("no-directory", "")
        const report = yield* diagnosed({ store: { type: "file", directory }, servers: [entry()] })
        assert.deepStrictEqual(failures(report), ["store"])
        assert.include(stepOf(report, "store").message, directory)
        assert.include(stepOf(report, "store").advice, "`store`")
      })
    )

    it.effect("a lease of another process is a warning, and the diagnosis leaves none behind", () =>
      Effect.gen(function* () {
        const { entry } = yield* startServers()
        const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
        const document = { store: { type: "file", directory }, servers: [entry()] }
        const { key, store } = yield* openStore(document)
        assert.strictEqual(stepOf(yield* diagnosed(document), "lease").status, "ok")
        const lease = yield* store.lease(key, Duration.minutes(10))
        assert.isDefined(lease, "nobody has it")
        const report = yield* diagnosed(document)
        assert.strictEqual(stepOf(report, "lease").status, "warning")
        assert.isEmpty(failures(report))
      })
    )

    it.effect("a stored grant is reported without its token", () =>
      Effect.gen(function* () {
        const { entry } = yield* startServers()
        const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
        const document = { store: { type: "file", directory }, servers: [entry()] }
        assert.include(stepOf(yield* diagnosed(document), "grant").message, "login remote")
        const { key, store } = yield* openStore(document)
        const secrets = [canary("access-token"), canary("refresh-token")]
        const [accessToken = "", refreshToken = ""] = secrets
        yield* store.set(
          key,
          new OAuthToken({
            accessToken: Redacted.make(accessToken),
            refreshToken: Redacted.make(refreshToken),
            tokenType: "Bearer",
            issuedAt: 0,
            reusable: true,
            expiresAt: Date.parse("2030-01-01")
          }),
          Duration.infinity
        )
        const report = yield* diagnosed(document)
        assert.deepStrictEqual(stepOf(report, "grant").facts, {
          stored: true,
          expires_at: "2030-01-01T00:00:00.000Z",
          renewable: true
        })
        assertNoCanary(JSON.stringify(report), secrets)
      })
    )

    it.effect("a Redis store answers, and fails the step once Redis is gone", ({ skip }) =>
      Effect.gen(function* () {
        const redis = yield* RedisServer.make(program ?? skip("no redis-server"))
        const { entry } = yield* startServers()
        const document = { store: { type: "redis", url: redis.url, encryption_key }, servers: [entry()] }
        const well = yield* diagnosed(document)
        assert.include(stepOf(well, "store").message, "Redis answers")
        assert.deepInclude(statuses(well), { store: "ok", lease: "ok" })
        yield* redis.kill
        const report = yield* diagnosed(document)
        assert.deepStrictEqual(failures(report), ["store"])
        assert.include(stepOf(report, "store").message, `Redis at 127.0.0.1:${redis.port}`)
      })
    )
  })
})
