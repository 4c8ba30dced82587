import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Certificates, redisProgram, RedisServer, requireProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schedule from "effect/Schedule"
import { beforeAll } from "vitest"
import { failureIn, ping, send, serveRaw } from "../http/RawHttp.ts"
import { startGateway, startTokenEndpoint } from "../http/RunningGateway.ts"

/** An MCP server, a token endpoint, and the document of a gateway between them that keeps its tokens in Redis. */
const stage = Effect.fnUntraced(function* (url: string) {
  const tokenEndpoint = yield* startTokenEndpoint
  const authorizations: Array<string | undefined> = []
  const upstream = yield* serveRaw((request, response) => {
    authorizations.push(request.headers.authorization)
    response.writeHead(200).end()
  })
  const config = { url: upstream.url }
  const document = {
    store: { type: "redis", url, encryption_key: "a-good-key-of-32-characters-or-more" },
    servers: [
      { server_name: "one", config, oauth: tokenEndpoint.oauth },
      { server_name: "other", config, oauth: tokenEndpoint.oauth }
    ]
  }
  return { authorizations, document, tokenEndpoint }
})

/** What probes are told. */
const readiness = (gateway: { readonly url: string }) =>
  Effect.map(send(`${gateway.url}/readyz`), ({ body, status }) => `${status} ${body.toString().trim()}`)

const until = <A>(effect: Effect.Effect<A>, isThere: (value: A) => boolean) =>
  Effect.repeat(effect, { schedule: Schedule.spaced("50 millis"), times: 1200, until: isThere })

describe("gateways on one Redis", () => {
  let program: string | undefined
  beforeAll(() => {
    program = requireProgram(redisProgram)
  })

  it.live("gateways on one Redis share their tokens", ({ skip }) =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make(program ?? skip("no redis-server"))
      const { authorizations, document, tokenEndpoint } = yield* stage(redis.url)
      const gateways = yield* Effect.all([startGateway(document), startGateway(document)])
      for (const gateway of gateways) assert.strictEqual((yield* send(gateway.mcp("one"), ping)).status, 200)
      assert.deepStrictEqual(authorizations, ["Bearer token-1", "Bearer token-1"])
      assert.lengthOf(yield* tokenEndpoint.requests, 1)
    })
  )

  it.live("gateways on one Redis request a token once for many simultaneous callers", ({ skip }) =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make(program ?? skip("no redis-server"))
      const { document, tokenEndpoint } = yield* stage(redis.url)
      const gateways = yield* Effect.all([
        startGateway(document),
        startGateway(document),
        startGateway(document)
      ])
      const answers = yield* Effect.forEach(
        [...gateways, ...gateways, ...gateways],
        (gateway) => send(gateway.mcp("one"), ping),
        { concurrency: "unbounded" }
      )
      assert.isTrue(answers.every(({ status }) => status === 200))
      assert.lengthOf(yield* tokenEndpoint.requests, 1)
    })
  )

  it.live("gateways serve from memory during a Redis outage, are not ready, and lose nothing", ({ skip }) =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make(program ?? skip("no redis-server"))
      const { authorizations, document, tokenEndpoint } = yield* stage(redis.url)
      const gateway = yield* startGateway(document)
      assert.strictEqual(yield* readiness(gateway), "200 ready")
      yield* send(gateway.mcp("one"), ping)

      yield* redis.kill
      assert.strictEqual(
        yield* readiness(gateway),
        `503 not ready: the token store cannot be used: Redis at 127.0.0.1:${redis.port} is not connected.` +
          " Check that it runs; the connection is tried again by itself"
      )
      assert.strictEqual((yield* send(`${gateway.url}/healthz`)).status, 200)
      for (const server of ["one", "other", "other"])
        assert.strictEqual((yield* send(gateway.mcp(server), ping)).status, 200)
      assert.deepStrictEqual(authorizations, [
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-2",
        "Bearer token-2"
      ])

      yield* redis.restart
      yield* until(readiness(gateway), (said) => said === "200 ready")
      const later = yield* startGateway(document)
      const isKnown = Effect.map(
        send(`${later.url}/metrics.json`),
        ({ body }) => JSON.parse(body.toString()).active_tokens === 1
      )
      yield* until(isKnown, (known) => known)
      yield* send(later.mcp("other"), ping)
      assert.strictEqual(authorizations.at(-1), "Bearer token-2")
      assert.lengthOf(yield* tokenEndpoint.requests, 2)
    })
  )

  it.live("gateways reach Redis over TLS with a Redis user name", ({ skip }) =>
    Effect.gen(function* () {
      const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
      const authority = yield* Certificates.makeAuthority("Redis CA")
      const caBundlePath = yield* authority.writeTo(directory, "ca")
      const files = yield* (yield* authority.issueServer()).writeTo(directory, "redis")
      const redis = yield* RedisServer.make(program ?? skip("no redis-server"), {
        tls: { ...files, caBundlePath },
        configuration: ["user default off", "user gateway on >a-password ~* +@all"]
      })
      const { document } = yield* stage(redis.url)
      const store = { ...document.store, username: "gateway", ca_bundle_path: caBundlePath }
      const gateway = yield* startGateway({ ...document, store: { ...store, password: "a-password" } })
      assert.strictEqual(yield* readiness(gateway), "200 ready")
      const refused = yield* Effect.flip(
        startGateway({ ...document, store: { ...store, password: "another" } })
      )
      assert.include(refused.message, "refuses the user name or the password")
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("a gateway does not start without its Redis, and says the address", ({ skip }) =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make(program ?? skip("no redis-server"))
      yield* redis.kill
      const { document } = yield* stage(redis.url)
      const error = yield* Effect.flip(startGateway(document))
      assert.strictEqual(
        error.message,
        `the token store cannot be used: Redis at 127.0.0.1:${redis.port} cannot be reached: connection refused.` +
          " Check its address and that it runs"
      )
    })
  )

  it.live("a client whose grant cannot be read is told about the Redis outage, not to log in", ({ skip }) =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make(program ?? skip("no redis-server"))
      const { document, tokenEndpoint } = yield* stage(redis.url)
      const [entry] = document.servers
      const personal = {
        ...entry,
        oauth: {
          ...tokenEndpoint.oauth,
          grant_type: "authorization_code",
          authorization_url: tokenEndpoint.endpoint("/authorize")
        }
      }
      const gateway = yield* startGateway({ ...document, servers: [personal] })
      yield* redis.kill
      const { error } = failureIn(yield* send(gateway.mcp("one"), ping))
      assert.strictEqual(error.data.reason, "StoreUnavailable")
      assert.include(error.message, "is not connected")
    })
  )
})
