import * as Effect from "effect/Effect"
import { entryWithToken, startGateway } from "../gateway/Gateway.ts"
import type { Job } from "../load/Job.ts"
import { startLoadGenerator } from "../load/LoadGenerator.ts"
import { mcpHeaders, toolCall } from "../load/McpRequest.ts"
import type { Contender, Run } from "../measurement/Measurement.ts"
import { CouldNotStart } from "../process/CouldNotStart.ts"
import { startServer } from "../process/NodeProgram.ts"
import { usageOf } from "../process/ProcessTree.ts"
import { startProcess } from "../process/StartedProcess.ts"
import { issuedTokens } from "../servers/IssuedTokens.ts"
import { tokenEndpoint, upstream } from "../servers/Servers.ts"

/** Fails if this gateway has only one worker. */
const needsWorkers = Effect.fnUntraced(function* (run: Run) {
  const help = yield* startProcess(process.execPath, [
    "--conditions=@secure-mcp/source",
    run.bundle,
    "serve",
    "--help"
  ])
  yield* Effect.callback<void>((resume) => {
    help.child.once("close", () => resume(Effect.void))
  })
  if (!help.output().includes("--workers"))
    return yield* new CouldNotStart({ program: "the gateway", reason: "serve has no --workers" })
  return undefined
})

/** `serve` with so many workers; one is the default, and needs no option. */
export const gatewayWithWorkers = (name: string, workers: number): Contender => ({
  name,
  start: Effect.fnUntraced(function* (run) {
    if (workers > 1) yield* needsWorkers(run)
    const server = yield* startServer(upstream)
    const tokens = yield* startServer(tokenEndpoint, ["50"])
    const servers = [entryWithToken("upstream", `${server.url}/mcp`, `${tokens.url}/token`)]
    const args = workers > 1 ? ["--workers", String(workers)] : []
    const { pid, url } = yield* startGateway(run, { servers }, { args })
    const doJob = yield* startLoadGenerator
    const job: Job = {
      url: `${url}/servers/upstream/mcp`,
      method: "POST",
      connections: 64,
      seconds: 2 * run.share,
      headers: mcpHeaders,
      body: toolCall()
    }
    yield* Effect.promise(() => doJob({ ...job, requests: 6000 * workers * run.share, seconds: 20 }))
    return async () => {
      const before = usageOf(pid).cpu
      const { answered, p99, seconds } = await doJob(job)
      return {
        rate: answered / seconds,
        cpu: (usageOf(pid).cpu - before) / answered,
        p99,
        memory: usageOf(pid).memory,
        tokens: await issuedTokens(tokens.url)
      }
    }
  })
})
