import { cpSync, existsSync, globSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { run } from "./Command.ts"
import type { Registry } from "./Registry.ts"

/** A package as it is released. */
export interface Released {
  readonly name: string
  readonly version: string
  /** Of the copy that it was published from. */
  readonly folder: string
}

/** A copy of the repository to release from, which uses the packages that are installed in the original. */
export const copyRepository = async (root: string, copy: string): Promise<void> => {
  await run("git", ["clone", "--quiet", "--depth", "1", `file://${root}`, copy], { cwd: root })
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
}

/** Announces a change of all packages, as `npx changeset` does. */
export const announceChange = (copy: string, released: ReadonlyArray<Released>): void => {
  const lines = released.map(({ name }) => `"${name}": patch`)
  writeFileSync(join(copy, ".changeset/another.md"), `---\n${lines.join("\n")}\n---\n\nAnother release.\n`)
}

/**
 * `npm run version-packages` and `changeset publish`, in a copy of the repository, as `release.yml` runs them. The one
 * difference is the statement of provenance, which only a public build service can give.
 */
export const releaseFrom = async (
  root: string,
  copy: string,
  registry: Registry
): Promise<ReadonlyArray<Released>> => {
  const bin = { PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}` }
  await run("changeset", ["version"], { cwd: copy, env: bin })
  const released: Array<Released> = []
  for (const file of globSync("{packages,apps}/*/package.json", { cwd: copy })) {
    const path = join(copy, file)
    const manifest = JSON.parse(readFileSync(path, "utf8")) as {
      readonly name: string
      readonly version: string
      readonly private?: boolean
      readonly publishConfig?: Readonly<Record<string, unknown>>
    }
    if (manifest.private === true) continue
    const { provenance: _, ...publishConfig } = manifest.publishConfig ?? {}
    writeFileSync(path, JSON.stringify({ ...manifest, publishConfig }, undefined, 2))
    const built = join(root, dirname(file), "dist")
    if (!existsSync(built)) throw new Error(`${manifest.name} is not built: npm run build`)
    cpSync(built, join(copy, dirname(file), "dist"), { recursive: true })
    released.push({ name: manifest.name, version: manifest.version, folder: join(copy, dirname(file)) })
  }
  await run("git", ["add", "--all", ".changeset", "packages", "apps"], { cwd: copy })
  await run(
    "git",
    ["-c", "user.name=trial", "-c", "user.email=trial@localhost", "commit", "-qm", "Version"],
    { cwd: copy }
  )
  await run("changeset", ["publish", "--no-git-tag"], { cwd: copy, env: { ...registry.env, ...bin } })
  return released
}
