import { accessSync, constants, existsSync, readdirSync } from "node:fs"
import { delimiter, join } from "node:path"

/** A program of the system that tests run. */
export interface SystemProgram {
  /** The names it may have; the first one that is found is used. */
  readonly names: readonly [string, ...ReadonlyArray<string>]
  /** The Debian package that has it. */
  readonly debianPackage: string
  /** A folder with one folder a version, in each of which is a folder `bin`, where the program may be, too. */
  readonly versions?: string
}

/** Redis, or Valkey, which is compatible. */
export const redisProgram: SystemProgram = {
  names: ["redis-server", "valkey-server"],
  debianPackage: "redis-server"
}

/** PostgreSQL, which Debian does not put on the PATH. */
export const postgresProgram: SystemProgram = {
  names: ["postgres"],
  debianPackage: "postgresql",
  versions: "/usr/lib/postgresql"
}

/** What `startNginx` runs. */
export const nginxProgram: SystemProgram = { names: ["nginx"], debianPackage: "nginx" }

/** What `writePkcs12` runs. */
export const opensslProgram: SystemProgram = { names: ["openssl"], debianPackage: "openssl" }

/** A browser, under its names in Debian and at its vendor. */
export const chromiumProgram: SystemProgram = {
  names: ["chromium", "chromium-browser", "google-chrome"],
  debianPackage: "chromium"
}

/** Checks the models in docs/models. */
export const spinProgram: SystemProgram = { names: ["spin"], debianPackage: "spin" }

/** Compiles what Spin makes of a model. */
export const gccProgram: SystemProgram = { names: ["gcc"], debianPackage: "gcc" }

/** What says how exposed a unit of systemd is. It needs no systemd that runs. */
export const systemdAnalyzeProgram: SystemProgram = { names: ["systemd-analyze"], debianPackage: "systemd" }

/** Every program that a test of this repository runs; `npm run setup:system` installs them. */
export const systemPrograms: ReadonlyArray<SystemProgram> = [
  redisProgram,
  postgresProgram,
  nginxProgram,
  opensslProgram,
  chromiumProgram,
  spinProgram,
  gccProgram,
  systemdAnalyzeProgram
]

/** The path of a program, or undefined where it is not installed. */
export const findProgram = ({ names, versions }: SystemProgram): string | undefined => {
  const directories = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    ...administratorDirectories,
    ...(versions === undefined ? [] : versionDirectories(versions))
  ]
  return names.flatMap((name) => directories.map((directory) => join(directory, name))).find(isExecutable)
}

/** The latest version first. */
const versionDirectories = (directory: string): ReadonlyArray<string> =>
  existsSync(directory)
    ? readdirSync(directory)
        .toSorted((a, b) => Number(b) - Number(a))
        .map((version) => join(directory, version, "bin"))
    : []

/** Servers are in the directories of the system's administrator, which others do not have on their PATH. */
const administratorDirectories = ["/usr/sbin", "/usr/local/sbin"]

/**
 * The path of a program for a test that needs it: skip the test when it is undefined. Standard error says
 * then how to get the program; nothing is installed. With `CI=true` a missing program is an error, so that no test is
 * skipped there unseen.
 */
export const requireProgram = (program: SystemProgram): string | undefined => {
  const found = findProgram(program)
  if (found !== undefined) return found
  if (process.env["CI"] === "true") throw new Error(howToGet(program))
  process.stderr.write(`${howToGet(program)}. Tests that need it are skipped.\n`)
  return undefined
}

const howToGet = ({ debianPackage, names }: SystemProgram): string =>
  `There is no ${names.join(" or ")} on the PATH: \`npm run setup:system\` installs it (or: apt-get install ${debianPackage})`

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
