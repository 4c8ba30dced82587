import type { StdioServerEntry } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import { childEnvironment } from "../child/ChildCommand.ts"
import { failed, ok, type Step } from "./Step.ts"

/** Whether the child process of a stdio server could be started. Starts nothing. */
export const commandSteps = Effect.fnUntraced(function* ({ args, command, cwd, env }: StdioServerEntry) {
  const steps: Array<Step> = []
  const found = yield* findCommand(command, cwd, childEnvironment({ args, command, cwd, env })["PATH"])
  steps.push(
    found === undefined
      ? failed(
          "command",
          `no program ${command} is found that may be run`,
          "Install it, or configure its whole path as `config.command`"
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

/** Where the system would find a program: at its path, else in the folders of PATH. */
const findCommand = Effect.fnUntraced(function* (
  command: string,
  cwd: string | undefined,
  searched: string | Redacted.Redacted | undefined
) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folders =
    searched === undefined ? "" : Redacted.isRedacted(searched) ? Redacted.value(searched) : searched
  const isWindows = process.platform === "win32"
  const candidates = /[\\/]/.test(command)
    ? [path.resolve(cwd ?? ".", command)]
    : folders
        .split(isWindows ? ";" : ":")
        .filter((folder) => folder !== "")
        .map((folder) => path.join(folder, command))
  const endings = isWindows ? ["", ".exe", ".cmd", ".bat", ".com"] : [""]
  return yield* Effect.findFirst(
    candidates.flatMap((candidate) => endings.map((ending) => candidate + ending)),
    (candidate) => isProgram(files, candidate)
  ).pipe(Effect.map((found) => (found._tag === "Some" ? found.value : undefined)))
})

const isProgram = (files: FileSystem.FileSystem, path: string): Effect.Effect<boolean> =>
  files.stat(path).pipe(
    Effect.map(({ mode, type }) => type === "File" && (process.platform === "win32" || (mode & 0o111) !== 0)),
    Effect.orElseSucceed(() => false)
  )
