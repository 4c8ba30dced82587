import { execFile } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { promisify } from "node:util"

/** A program that tests run. */
export interface Program {
  /** The names it may have; the first one that is found is taken. */
  readonly names: ReadonlyArray<string>
  /** The Debian package that has it. */
  readonly debianPackage: string
}

/** Milliseconds that a hook which may install a program needs at most. */
export const installationTimeout = 600_000

/**
 * The path of a program that this machine has, or that Debian can give it: for that we must be root, and apt-get must
 * be there. Otherwise undefined, with a line on standard error that says how to get the program. Never rejects.
 */
export const findProgram = async (program: Program): Promise<string | undefined> => {
  const found = onPath(program) ?? (await install(program))
  if (found === undefined) process.stderr.write(`${howToGet(program)}\n`)
  return found
}

/**
 * The program, for a test that cannot do without it: skip the test when it is undefined. Under `CI=true` a program that
 * is missing is a failure instead, so that no test is left out there unseen.
 */
export const requireProgram = async (program: Program): Promise<string | undefined> => {
  const found = await findProgram(program)
  if (found === undefined && process.env["CI"] === "true") throw new Error(howToGet(program))
  return found
}

const howToGet = ({ debianPackage, names }: Program): string =>
  `No ${debianPackage}: put ${names.map((name) => `\`${name}\``).join(" or ")} on the PATH (Debian: apt-get install ${debianPackage})`

/** Servers are in the directories of the system's administrator, which others do not have on their PATH. */
const onPath = ({ names }: Program): string | undefined =>
  names
    .flatMap((name) =>
      [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"].map((directory) =>
        join(directory, name)
      )
    )
    .find(isExecutable)

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const install = async (program: Program): Promise<string | undefined> => {
  if (process.getuid?.() !== 0) return undefined
  try {
    await aptGet("update")
    await aptGet("install", "--yes", "--no-install-recommends", program.debianPackage)
  } catch {
    return undefined
  }
  return onPath(program)
}

/**
 * Workers of Vitest wait for each other, since apt-get itself waits for others only in part. The lock is not handed
 * down: a server that is started once it is installed would hold it. Waiting and working have a limit each.
 */
const aptGet = (...command: ReadonlyArray<string>) =>
  promisify(execFile)(
    "flock",
    [
      ...["--close", "--timeout", "120", join(tmpdir(), "secure-mcp-testing-apt-get.lock")],
      ...["timeout", "180", "apt-get", "-o", "DPkg::Lock::Timeout=120", ...command]
    ],
    { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } }
  )
