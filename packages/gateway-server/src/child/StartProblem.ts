import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { ChildCommand } from "./ChildCommand.ts"
import { findProgram, programCandidates } from "./ProgramSearch.ts"

/**
 * Why a command could not be started and what to do about it, for people. The system only gives a code, and the same for
 * a missing program as for a missing folder.
 *
 * @param code that of the system's error, such as `ENOENT`
 */
export const startProblem = Effect.fnUntraced(function* (command: ChildCommand, code: string) {
  const folder = command.cwd === undefined ? undefined : yield* folderProblem(command.cwd)
  if (folder !== undefined) return folder
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return yield* notFound(command)
    case "EACCES":
    case "EPERM":
      return yield* notPermitted(command)
    default:
      return systemProblems.get(code) ?? `the system refused (${code})`
  }
})

const systemProblems: ReadonlyMap<string, string> = new Map([
  ["E2BIG", "its arguments and variables together are too long (E2BIG)"],
  ["EAGAIN", "too many processes are running (EAGAIN)"],
  [
    "EMFILE",
    "the gateway has too many open files (EMFILE). End some sessions, or raise its limit (ulimit -n)"
  ],
  ["ENFILE", "the system has too many open files (ENFILE)"],
  ["ENOMEM", "there is not enough memory (ENOMEM)"],
  ["ENOEXEC", "the system does not know how to run it (ENOEXEC): is it built for another system?"],
  ["ERR_INVALID_ARG_VALUE", "its arguments or variables contain a NUL character"]
])

const typeOf = (path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.stat(path)).pipe(
    Effect.map(({ type }) => type),
    Effect.option,
    Effect.map(Option.getOrUndefined)
  )

const folderProblem = Effect.fnUntraced(function* (cwd: string) {
  const type = yield* typeOf(cwd)
  if (type === undefined) return `its folder "${cwd}" (\`cwd\`) is not there. Create it, or change \`cwd\``
  return type === "Directory" ? undefined : `its \`cwd\` "${cwd}" is no folder. Change \`cwd\``
})

const notFound = Effect.fnUntraced(function* (command: ChildCommand) {
  const [name, ...rest] = command.command.trim().split(/\s+/)
  const found = yield* findProgram(command)
  if (found !== undefined)
    return `"${found}" names a program in its first line (#!) that is not there, or it is built for another system`
  // What follows may be a secret.
  if (rest.length > 0)
    return `no program has the whole of \`command\` as its name. If the program is "${name}", write the rest into \`args\`, one argument each: "command": "${name}", "args": ["..."]`
  const isPath = /[\\/]/.test(command.command)
  return isPath
    ? `there is no file "${command.command}". Install it, or change \`command\``
    : `"${command.command}" is in no folder of PATH. Install it, or configure its whole path as \`command\``
})

const notPermitted = Effect.fnUntraced(function* (command: ChildCommand) {
  const candidates = yield* programCandidates(command)
  for (const candidate of candidates) {
    const type = yield* typeOf(candidate)
    if (type === "Directory") return `"${candidate}" is a folder. Configure the program in it as \`command\``
    if (type !== undefined && (yield* findProgram(command)) === undefined)
      return `"${candidate}" is not executable. Make it so (chmod +x), or configure the program that runs it as \`command\`, and the file in \`args\``
  }
  return `the system does not allow the gateway to run "${command.command}"${command.cwd === undefined ? "" : ` in the folder "${command.cwd}"`}`
})
