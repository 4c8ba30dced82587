import { cpSync, globSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { run } from "./Command.ts"
import { manifestIn } from "./Installed.ts"
import type { Registry } from "./Registry.ts"
import type { Released } from "./Release.ts"

/** A folder with a program whose packages are installed as of a release, and saved in its package.json as npm does it. */
export const installRelease = async (
  program: string,
  directory: string,
  packages: ReadonlyArray<string>,
  registry: Registry
): Promise<void> => {
  mkdirSync(directory)
  cpSync(program, join(directory, "program.ts"))
  const manifest = { name: "upgrade", private: true, type: "module" }
  writeFileSync(join(directory, "package.json"), JSON.stringify(manifest))
  await run("npm", ["install", "--no-audit", "--no-fund", ...packages], { cwd: directory, env: registry.env })
}

/** `npm update`: afterwards every one of our packages is there once, in the version of the later release. */
export const upgradeTo = async (
  released: ReadonlyArray<Released>,
  directory: string,
  registry: Registry
): Promise<void> => {
  // What the registry said about the release before is still in npm's cache.
  await run("npm", ["update", "--prefer-online", "--no-audit", "--no-fund"], {
    cwd: directory,
    env: registry.env
  })
  const installed = globSync("node_modules/**/@secure-mcp/*/package.json", { cwd: directory }).map(dirname)
  const wrong = installed.filter((folder) => {
    const later = released.find(({ name }) => folder.endsWith(`node_modules/${name}`))
    return (
      folder.lastIndexOf("node_modules") > 0 || manifestIn(join(directory, folder)).version !== later?.version
    )
  })
  if (installed.length === 0 || wrong.length > 0) throw new Error(`Not upgraded: ${wrong.join(", ")}`)
}
