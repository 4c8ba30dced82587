import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import { childEnvironment, type ChildCommand } from "./ChildCommand.ts"

/** Where the system would find the program of a command: at its path, else in the folders of PATH; undefined if nowhere. */
export const findProgram = (
  command: ChildCommand
): Effect.Effect<string | undefined, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const candidates = yield* programCandidates(command)
    return Option.getOrUndefined(yield* Effect.findFirst(candidates, isProgram))
  })

/** Every path at which the system looks for the program of a command. */
export const programCandidates = Effect.fnUntraced(function* (command: ChildCommand) {
  const path = yield* Path.Path
  const searched = childEnvironment(command)["PATH"] ?? ""
  const folders = Redacted.isRedacted(searched) ? Redacted.value(searched) : searched
  const isWindows = process.platform === "win32"
  const candidates = /[\\/]/.test(command.command)
    ? [path.resolve(command.cwd ?? ".", command.command)]
    : folders
        .split(isWindows ? ";" : ":")
        .filter((folder) => folder !== "")
        .map((folder) => path.join(folder, command.command))
  const endings = isWindows ? ["", ".exe", ".cmd", ".bat", ".com"] : [""]
  return candidates.flatMap((candidate) => endings.map((ending) => candidate + ending))
})

const isProgram = Effect.fnUntraced(function* (candidate: string) {
  const files = yield* FileSystem.FileSystem
  return yield* files.stat(candidate).pipe(
    Effect.map(({ mode, type }) => type === "File" && (process.platform === "win32" || (mode & 0o111) !== 0)),
    Effect.orElseSucceed(() => false)
  )
})
