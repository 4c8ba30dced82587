import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { findProgram, type SystemProgram } from "./SystemProgram.ts"

/**
 * Installs the programs that are missing, with apt-get, for which we must be root. Answers with the Debian packages that
 * were installed; rejects with what to do where that is not possible.
 */
export const installMissingPrograms = async (
  programs: ReadonlyArray<SystemProgram>
): Promise<ReadonlyArray<string>> => {
  const missing = programs.filter((program) => findProgram(program) === undefined)
  if (missing.length === 0) return []
  const packages = missing.map(({ debianPackage }) => debianPackage)
  if (findProgram(aptGetProgram) === undefined) {
    throw new Error(`There is no apt-get here. Install by another way: ${packages.join(", ")}`)
  }
  if (process.getuid?.() !== 0)
    throw new Error(`Only root can install: sudo apt-get install ${packages.join(" ")}`)
  await aptGet("update")
  await aptGet("install", "--yes", "--no-install-recommends", ...packages)
  const absent = missing.filter((program) => findProgram(program) === undefined)
  if (absent.length > 0) {
    throw new Error(`Still missing: ${absent.map(({ names }) => names.join(" or ")).join(", ")}`)
  }
  return packages
}

const aptGetProgram: SystemProgram = { names: ["apt-get"], debianPackage: "apt" }

/** Waits two minutes at most for another apt-get, and works ten minutes at most. */
const aptGet = (...command: ReadonlyArray<string>) =>
  promisify(execFile)("apt-get", ["-o", "DPkg::Lock::Timeout=120", ...command], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    maxBuffer: 64 * 1024 * 1024,
    timeout: 600_000
  })
