import * as Effect from "effect/Effect"
import { entryWithToken, startGateway } from "../gateway/Gateway.ts"
import type { Job } from "../load/Job.ts"
import { startLoadGenerator } from "../load/LoadGenerator.ts"
import { mcpHeaders, toolCall } from "../load/McpRequest.ts"
import type { Contender, Run } from "../measurement/Measurement.ts"
import { startServer } from "../process/NodeProgram.ts"
import { usageOf } from "../process/ProcessTree.ts"
import { issuedTokens } from "../servers/IssuedTokens.ts"
import { tokenEndpoint, upstream } from "../servers/Servers.ts"
import { redisStore, startRedis } from "./Redis.ts"

/** Gateways that share a Redis, a server and a token endpoint that takes 50 ms. */
export const startInstances = Effect.fnUntraced(function* (run: Run, count: number) {
  const redis = yield* startRedis
  const server = yield* startServer(upstream)
  const tokens = yield* startServer(tokenEndpoint, ["50"])
  const document = {
    store: redisStore(redis),
    servers: [entryWithToken("upstream", `${server.url}/mcp`, `${tokens.url}/token`)]
  }
  const gateways = yield* Effect.forEach(Array.from({ length: count }), () => startGateway(run, document))
  return {
    gateways: gateways.map(({ pid, url }) => ({ pid, url: `${url}/servers/upstream/mcp` })),
    issued: () => issuedTokens(tokens.url)
  }
})

/** Connections to all instances together. */
const connections = 32

/** Of each round. */
const seconds = 2

/** So many instances on one Redis, with the same load, divided among them. */
export const instancesOnRedis = (name: string, count: number): Contender => ({
  name,
  start: Effect.fnUntraced(function* (run) {
    const { gateways, issued } = yield* startInstances(run, count)
    const generators = yield* Effect.forEach(gateways, () => startLoadGenerator)
    const doJobs = (change: Partial<Job>) =>
      Promise.all(
        gateways.map(({ url }, index) => {
          const job: Job = {
            url,
            method: "POST",
            connections: connections / count,
            seconds: seconds * run.share,
            headers: mcpHeaders,
            body: toolCall(),
            ...change
          }
          return generators[index]?.(job)
        })
      ).then((results) => results.filter((result) => result !== undefined))
    yield* Effect.promise(() => doJobs({ requests: (6000 * run.share) / count, seconds: 20 }))
    const cpu = () => gateways.reduce((sum, { pid }) => sum + usageOf(pid).cpu, 0)
    return async () => {
      const before = cpu()
      const results = await doJobs({})
      const answered = results.reduce((sum, { answered }) => sum + answered, 0)
      return {
        cpu: (cpu() - before) / answered,
        rate: results.reduce((sum, { answered, seconds }) => sum + answered / seconds, 0),
        p99: Math.max(...results.map(({ p99 }) => p99)),
        memory: gateways.reduce((sum, { pid }) => sum + usageOf(pid).memory, 0),
        tokens: await issued()
      }
    }
  })
})
