import * as Effect from "effect/Effect"
import { once } from "node:events"
import { startNodeProgram } from "../process/NodeProgram.ts"
import type { Job, LoadResult } from "./Job.ts"

/** Does a job; rejects if a request failed, because then the figures would be those of errors. */
export type DoJob = (job: Job) => Promise<LoadResult>

/** A load generator in a process of its own, until the scope closes. Its processor time counts nowhere. */
export const startLoadGenerator = Effect.gen(function* () {
  const { child } = yield* startNodeProgram(new URL("main.ts", import.meta.url), [], { isTalking: true })
  const doJob: DoJob = async (job) => {
    const answered = once(child, "message")
    child.send(job)
    const [result]: ReadonlyArray<LoadResult> = await answered
    if (result === undefined) throw new Error("The load generator did not answer")
    if (result.failed > 0)
      throw new Error(
        `${result.failed} requests to ${job.url} failed, the first with: ${result.firstFailure}`
      )
    return result
  }
  return doJob
})
