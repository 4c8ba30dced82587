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
      const memory: Array<number> = []
      for (const connections of clientCounts) {
        const sessions: Array<string> = []
        while (sessions.length < connections) sessions.push(await beginSession(url))
        const job: Job = {
          url,
          method: "POST",
          connections,
          seconds: seconds * run.share,
          headers: mcpHeaders,
          body: toolCall(),
          sessions
        }
        await doJob({ ...job, requests: warmUp * run.share * connections, seconds: 20 })
        jobs.push(job)
        // Before there are more sessions, each of which may have a child.
        memory.push(usageOf(pid).memory)
      }
      return async () => {
        const figures: Record<string, number> = {}
        for (const [index, job] of jobs.entries())
          Object.assign(figures, await measured(job), {
            [`memory-${job.connections}`]: memory[index] ?? Number.NaN
          })
        return figures
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
