import * as Effect from "effect/Effect"
import { startLoadGenerator } from "../load/LoadGenerator.ts"
import { mcpHeaders, toolCall } from "../load/McpRequest.ts"
import type { Figures, Run } from "../measurement/Measurement.ts"
import { startServer } from "../process/NodeProgram.ts"
import type { Proxy } from "../proxies/Proxy.ts"
import { upstream } from "../servers/Servers.ts"
import { startInstances } from "./Instances.ts"

/** Clients that connect at once. */
const clients = 1000

const jobFor = (run: Run, url: string) => {
  const connections = Math.max(10, clients * run.share)
  return {
    url,
    method: "POST",
    connections,
    requests: connections,
    seconds: 30,
    headers: mcpHeaders,
    body: toolCall()
  } as const
}

/** Milliseconds until all clients of a proxy that was just started have their answers. */
export const connectAtOnce = (proxy: Proxy, run: Run): Promise<Figures> =>
  Effect.gen(function* () {
    const server = yield* startServer(upstream)
    const { url } = yield* proxy.start(run, server.url)
    const doJob = yield* startLoadGenerator
    const { seconds } = yield* Effect.promise(() => doJob(jobFor(run, url)))
    return { connections: seconds * 1000 }
  }).pipe(Effect.scoped, Effect.runPromise)

/** Token requests of two instances on one Redis that were just started, when all clients connect at once. */
export const connectToInstances = (run: Run): Promise<Figures> =>
  Effect.gen(function* () {
    const { gateways, issued } = yield* startInstances(run, 2)
    const generators = yield* Effect.forEach(gateways, () => startLoadGenerator)
    const half = (url: string) => {
      const job = jobFor(run, url)
      return { ...job, connections: job.connections / 2, requests: job.connections / 2 }
    }
    yield* Effect.promise(() => Promise.all(gateways.map(({ url }, index) => generators[index]?.(half(url)))))
    return { redisTokens: yield* Effect.promise(issued) }
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => (error.isMissing === true ? Effect.succeed<Figures>({}) : Effect.fail(error))),
    Effect.runPromise
  )
