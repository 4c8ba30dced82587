import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import { childEnvironment, type ChildCommand } from "./ChildCommand.ts"

/** Where the system would find the program of a command: at its path, else in the folders of PATH; undefined if nowhere. */
export const findProgram = Effect.fnUntraced(function* (
  command: ChildCommand,
  platform: NodeJS.Platform = process.platform
): Effect.fn.Return<string | undefined, never, FileSystem.FileSystem | Path.Path> {
  const candidates = yield* programCandidates(command, platform)
  return Option.getOrUndefined(
    yield* Effect.findFirst(candidates, (candidate) => isProgram(candidate, platform))
  )
})

/** Every path at which the system looks for the program of a command. */
export const programCandidates = Effect.fnUntraced(function* (
  command: ChildCommand,
  platform: NodeJS.Platform = process.platform
): Effect.fn.Return<ReadonlyArray<string>, never, Path.Path> {
  const path = yield* Path.Path
  const folder = path.resolve(command.cwd ?? ".")
  const environment = Object.entries(childEnvironment(command, platform))
  const isWindows = platform === "win32"
  const variable = (name: string) =>
    plain(environment.find(([key]) => (isWindows ? key.toUpperCase() : key) === name)?.[1])
  const searched = variable("PATH").split(isWindows ? ";" : ":")
  // Windows looks into the current folder first.
  const folders = [...(isWindows ? [folder] : []), ...searched.filter((name) => name !== "")]
  const candidates = /[\\/]/.test(command.command)
    ? [path.resolve(folder, command.command)]
    : folders.map((name) => path.resolve(folder, name, command.command))
  const endings = isWindows ? ["", ...(variable("PATHEXT") || ".EXE;.CMD;.BAT;.COM").split(";")] : [""]
  return candidates.flatMap((candidate) => endings.map((ending) => candidate + ending))
})

const plain = (value: string | Redacted.Redacted | undefined): string =>
  Redacted.isRedacted(value) ? Redacted.value(value) : (value ?? "")

const isProgram = Effect.fnUntraced(function* (candidate: string, platform: NodeJS.Platform) {
  const files = yield* FileSystem.FileSystem
  return yield* files.stat(candidate).pipe(
    Effect.map(({ mode, type }) => type === "File" && (platform === "win32" || (mode & 0o111) !== 0)),
    Effect.orElseSucceed(() => false)
  )
})
