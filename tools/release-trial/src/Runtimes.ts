import { mkdirSync, writeFileSync } from "node:fs"
import { execFileSync } from "node:child_process"
import { delimiter, join } from "node:path"
import { run } from "./Command.ts"
import type { Registry } from "./Registry.ts"

/**
 * The version of Deno that the client with Promises is tried with. Bun is not among them: its own module in the place of `undici`
 * has no dispatcher.
 */
export const denoVersion = "2.9.6"

/** Installs Deno in a folder of its own, and gives the path of the program. */
export const installDeno = async (directory: string, registry: Registry): Promise<string> => {
  mkdirSync(directory)
  const manifest = { name: "runtimes", private: true, allowScripts: { deno: true } }
  writeFileSync(join(directory, "package.json"), JSON.stringify(manifest))
  await run("npm", ["install", "--no-audit", "--no-fund", `deno@${denoVersion}`], {
    cwd: directory,
    env: registry.env
  })
  return join(directory, "node_modules/.bin/deno")
}

/** A Node on this machine that is too old for the command, with its version. */
export const findOldNode = (): { readonly path: string; readonly version: string } | undefined =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((directory) => join(directory, "node"))
    .flatMap((path) => {
      try {
        return [{ path, version: execFileSync(path, ["--version"], { encoding: "utf8" }).trim().slice(1) }]
      } catch {
        return []
      }
    })
    .find(({ version }) => {
      const [major = 0, minor = 0] = version.split(".").map(Number)
      return major < 22 || (major === 22 && minor < 19)
    })
