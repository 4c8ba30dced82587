import { assert, describe, it } from "@effect/vitest"
import { redisProgram, RedisNodes, requireProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { beforeAll } from "vitest"
import { ping, send, serveRaw } from "../http/RawHttp.ts"
import { startGateway, startTokenEndpoint } from "../http/RunningGateway.ts"

/** Two gateways on one store: they request one token. */
const shareOneToken = Effect.fnUntraced(function* (store: object) {
  const tokenEndpoint = yield* startTokenEndpoint
  const upstream = yield* serveRaw((_, response) => response.writeHead(200).end())
  const server = { server_name: "one", config: { url: upstream.url }, oauth: tokenEndpoint.oauth }
  const document = {
    store: { type: "redis", encryption_key: "a-good-key-of-32-characters-or-more", ...store },
    servers: [server]
  }
  const gateways = yield* Effect.all([startGateway(document), startGateway(document)], { concurrency: 2 })
  for (const gateway of gateways) assert.strictEqual((yield* send(gateway.mcp("one"), ping)).status, 200)
  assert.lengthOf(yield* tokenEndpoint.requests, 1)
})

const urlOf = (ports: ReadonlyArray<number>) =>
  `redis://${ports.map((port) => `127.0.0.1:${port}`).join(",")}`

describe("gateways on several nodes of Redis", () => {
  let program: string | undefined
  beforeAll(() => {
    program = requireProgram(redisProgram)
  })

  it.live("gateways behind Redis Sentinel share their tokens", ({ skip }) =>
    Effect.gen(function* () {
      const { name, sentinels } = yield* RedisNodes.makeSentinels(program ?? skip("no redis-server"))
      yield* shareOneToken({ url: urlOf(sentinels), sentinel_name: name })
    })
  )

  it.live("gateways on a Redis Cluster share their tokens", ({ skip }) =>
    Effect.gen(function* () {
      const { nodes } = yield* RedisNodes.makeCluster(program ?? skip("no redis-server"), { replicas: 0 })
      yield* shareOneToken({ url: urlOf(nodes.map(({ port }) => port)), cluster: true })
    })
  )
})
