/** The load generator: a process of its own, which does the jobs that it is sent. */
import { generate } from "./Generator.ts"
import type { Job } from "./Job.ts"

process.on("message", (job: Job) => {
  void generate(job).then((result) => process.send?.(result))
})
process.on("disconnect", () => process.exit(0))
