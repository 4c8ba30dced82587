import * as Effect from "effect/Effect"
import type { Job } from "../load/Job.ts"
import { startLoadGenerator } from "../load/LoadGenerator.ts"
import { mcpHeaders, toolCall } from "../load/McpRequest.ts"
import type { Contender } from "../measurement/Measurement.ts"
import { startServer } from "../process/NodeProgram.ts"
import { usageOf } from "../process/ProcessTree.ts"
import { upstream } from "../servers/Servers.ts"
import type { Proxy } from "./Proxy.ts"

export interface ProxyLoad {
  readonly connections: number
  /** Of each round. */
  readonly seconds: number
  /** Of each request and of each answer; default 100. */
  readonly bodyBytes?: number
}

/** Requests until V8 has compiled what is hot, and has given new objects their room, however slow the machine is. */
const warmUp = 40_000

/** Seconds. */
const longestWarmUp = 20

/** A proxy under `tools/call` requests. */
export const underLoad =
  ({ bodyBytes = 100, connections, seconds }: ProxyLoad) =>
  (proxy: Proxy): Contender => ({
    name: proxy.name,
    start: Effect.fnUntraced(function* (run) {
      const server = yield* startServer(upstream, [String(bodyBytes)])
      const { pid, url } = yield* proxy.start(run, server.url)
      const doJob = yield* startLoadGenerator
      const job: Job = {
        url,
        method: "POST",
        connections,
        seconds: seconds * run.share,
        headers: mcpHeaders,
        body: toolCall(bodyBytes)
      }
      const direct = {
        ...job,
        url: `${server.url}/mcp`,
        seconds: (seconds / 4) * run.share,
        headers: { ...mcpHeaders, authorization: "Bearer a-token" }
      }
      yield* Effect.promise(() =>
        doJob({
          ...job,
          requests: (warmUp * run.share) / Math.max(1, bodyBytes / 10_000),
          seconds: longestWarmUp
        })
      )
      return async () => {
        const without = await doJob(direct)
        const before = usageOf(pid)
        const result = await doJob(job)
        const after = usageOf(pid)
        return {
          cpu: (after.cpu - before.cpu) / result.answered,
          rate: result.answered / result.seconds,
          p50: result.p50,
          p99: result.p99,
          addedP50: result.p50 - without.p50,
          addedP99: result.p99 - without.p99,
          memory: after.memory
        }
      }
    })
  })
