import { globSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import type { InstalledRow } from "./ReadmeTable.ts"

/** What a package.json says of what it needs. */
export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

/** All that a package needs of `node_modules`, as npm installs it. */
export const installedWith = (directory: string, name: string): InstalledRow => {
  const needed = new Map<string, number>()
  let own: ReadonlyArray<string> = []
  const add = (from: string, wanted: string): void => {
    const folder = resolvePackage(directory, from, wanted)
    if (folder === undefined || needed.has(folder)) return
    needed.set(folder, sizeOf(folder))
    const wantedNext = neededBy(JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest)
    if (wanted === name) own = wantedNext
    for (const next of wantedNext) add(folder, next)
  }
  add(directory, name)
  const bytes = [...needed.values()].reduce((sum, size) => sum + size, 0)
  return { name, dependencies: own, packages: needed.size, bytes }
}

/** What a package names as needed, its peers included. */
export const neededBy = ({ dependencies, peerDependencies, peerDependenciesMeta }: Manifest) =>
  [
    ...Object.keys(dependencies ?? {}),
    ...Object.keys(peerDependencies ?? {}).filter((peer) => peerDependenciesMeta?.[peer]?.optional !== true)
  ].toSorted()

const resolvePackage = (directory: string, from: string, name: string): string | undefined => {
  for (let folder = from; folder.length >= directory.length; folder = join(folder, "..")) {
    const found = join(folder, "node_modules", name)
    if (statSync(join(found, "package.json"), { throwIfNoEntry: false }) !== undefined) return found
  }
  return undefined
}

/** Without the packages inside, which count for themselves. */
const sizeOf = (folder: string): number =>
  globSync("**/*", { cwd: folder, exclude: (path) => path === "node_modules" })
    .map((path) => statSync(join(folder, path)))
    .filter((found) => found.isFile())
    .reduce((sum, { size }) => sum + size, 0)
