import * as Effect from "effect/Effect"
import type { Job } from "../load/Job.ts"
import { startLoadGenerator } from "../load/LoadGenerator.ts"
import { mcpHeaders, toolCall } from "../load/McpRequest.ts"
import { beginSession } from "../load/McpSession.ts"
import type { Contender, Figures } from "../measurement/Measurement.ts"
import { usageOf } from "../process/ProcessTree.ts"
import { programFile } from "../servers/ProgramFile.ts"
import { stdioServer } from "../servers/StdioServer.ts"
import type { Bridge } from "./Bridge.ts"

/** Clients at the same time, each with a session of its own. */
export const clientCounts = [1, 8]

/** Of each round and count, in seconds. */
const seconds = 2

/** Requests of each client before the first that counts. */
const warmUp = 2000

/** A bridge under `tools/call` requests. */
export const bridgeUnderLoad = (bridge: Bridge): Contender => ({
  name: bridge.name,
  start: Effect.fnUntraced(function* (run) {
    const server = yield* programFile(stdioServer)
    const { pid, url } = yield* bridge.start(run, server)
    const doJob = yield* startLoadGenerator
    return yield* Effect.promise(async () => {
      const jobs: Array<Job> = []
      for (const connections of clientCounts) {
        const sessions: Array<string> = []
        while (sessions.length < connections) sessions.push(await beginSession(url))
        jobs.push({
          url,
          method: "POST",
          connections,
          seconds: seconds * run.share,
          headers: mcpHeaders,
          body: toolCall(),
          sessions
        })
      }
      for (const job of jobs)
        await doJob({ ...job, requests: warmUp * run.share * job.connections, seconds: 20 })
      return async () => {
        const figures: Record<string, number> = {}
        for (const job of jobs) Object.assign(figures, await measured(job))
        return { ...figures, memory: usageOf(pid).memory }
      }
    })

    async function measured(job: Job): Promise<Figures> {
      const { cpu } = usageOf(pid)
      const { answered, p99, seconds } = await doJob(job)
      const clients = job.connections
      return {
        [`cpu-${clients}`]: (usageOf(pid).cpu - cpu) / answered,
        [`rate-${clients}`]: answered / seconds,
        [`p99-${clients}`]: p99
      }
    }
  })
})
