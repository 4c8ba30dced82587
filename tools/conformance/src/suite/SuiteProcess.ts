import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

/** Milliseconds that a scenario may take, on a machine that is busy with others. */
export const scenarioTimeout = 90_000

const suite = fileURLToPath(import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"))

/** Runs a command of the suite to its end. */
export const runSuite = (args: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const child = yield* Effect.acquireRelease(
        Effect.sync(() => spawn(process.execPath, [suite, ...args], { stdio: ["ignore", "pipe", "pipe"] })),
        (child) => Effect.sync(() => void child.kill())
      )
      let output = ""
      child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text))
      child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text))
      yield* Effect.promise(() => once(child, "close"))
      return { exitCode: child.exitCode, output }
    })
  )
