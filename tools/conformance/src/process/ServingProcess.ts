import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"

/** A process ended, or could not be started, before it said where it serves. */
export class DidNotStart extends Data.TaggedError("DidNotStart")<{
  readonly program: string
  readonly said: string
}> {
  override get message() {
    return `${this.program} did not start: ${this.said}`
  }
}

/** Characters of a process's error output that are stored to explain a failed start. */
const longestLog = 10_000

/**
 * A Node process that serves until the scope closes. Gives the first line of its standard output, which says where.
 *
 * @param program the path of its main module
 */
export const startServing = Effect.fnUntraced(function* (
  program: string,
  args: ReadonlyArray<string>,
  env: NodeJS.ProcessEnv
) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"], env })
    ),
    (child) =>
      Effect.promise(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const gone = once(child, "exit")
        child.kill("SIGTERM")
        await gone
      })
  )
  let log = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-longestLog)))
  return yield* Effect.callback<string, DidNotStart>((resume) => {
    let output = ""
    child.once("close", () => resume(Effect.fail(new DidNotStart({ program, said: log }))))
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(0, longestLog)
      const end = output.indexOf("\n")
      if (end !== -1) resume(Effect.succeed(output.slice(0, end)))
    })
  })
})
