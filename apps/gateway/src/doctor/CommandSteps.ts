import type { StdioServerEntry } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { findProgram } from "@secure-mcp/gateway-server/internal"
import { failed, ok, type Step } from "./Step.ts"

/** Whether the child process of a stdio server could be started. Starts nothing. */
export const commandSteps = Effect.fnUntraced(function* ({ args, command, cwd, env }: StdioServerEntry) {
  const steps: Array<Step> = []
  const found = yield* findProgram({ args, command, cwd, env })
  steps.push(
    found === undefined
      ? failed(
          "command",
          `no program ${command} is found that may be run`,
          /\s/.test(command)
            ? "If this is a command line, leave the program in `config.command` and put its arguments into `config.args`"
            : "Install it, or configure its whole path as `config.command`"
        )
      : ok("command", found, { path: found })
  )
  if (cwd === undefined) return steps
  const files = yield* FileSystem.FileSystem
  const isDirectory = yield* files.stat(cwd).pipe(
    Effect.map(({ type }) => type === "Directory"),
    Effect.orElseSucceed(() => false)
  )
  steps.push(
    isDirectory
      ? ok("directory", cwd)
      : failed("directory", `${cwd} is not there, or no directory`, "Create it, or change `config.cwd`")
  )
  return steps
})
