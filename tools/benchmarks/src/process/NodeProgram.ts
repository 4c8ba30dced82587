import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import { awaitOutput, type ProcessOptions, startProcess } from "./StartedProcess.ts"

export interface NodeProgramOptions extends ProcessOptions {
  readonly nodeOptions?: ReadonlyArray<string>
  /** A folder for a CPU profile, which Node writes when the process ends. */
  readonly profileDirectory?: string | undefined
}

/** A TypeScript program of this tool in a Node process of its own. */
export const startNodeProgram = (
  program: URL,
  args: ReadonlyArray<string> = [],
  { nodeOptions = [], profileDirectory, ...options }: NodeProgramOptions = {}
) =>
  startProcess(
    process.execPath,
    [
      "--conditions=@secure-mcp/source",
      "--disable-warning=ExperimentalWarning",
      ...profileOptions(profileDirectory),
      ...nodeOptions,
      fileURLToPath(program),
      ...args
    ],
    options
  )

/** A program whose first line of output is the URL at which it serves. */
export const startServer = Effect.fnUntraced(function* (
  program: URL,
  args: ReadonlyArray<string> = [],
  options: NodeProgramOptions = {}
) {
  const started = yield* startNodeProgram(program, args, options)
  const url = yield* awaitOutput(started, program.pathname, /^(http:\S+)$/m)
  return { ...started, url }
})

export const profileOptions = (directory: string | undefined): ReadonlyArray<string> =>
  directory === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${directory}`]
