import { globSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"

/** What an installation of one package brings. */
export interface Installed {
  readonly name: string
  /** How many packages, itself included. */
  readonly packages: number
  readonly bytes: number
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

/** All that a package needs of `node_modules`, as npm installs it. */
export const installedWith = (directory: string, name: string): Installed => {
  const needed = new Map<string, number>()
  const add = (from: string, wanted: string): void => {
    const folder = resolvePackage(directory, from, wanted)
    if (folder === undefined || needed.has(folder)) return
    needed.set(folder, sizeOf(folder))
    const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
      readFileSync(join(folder, "package.json"), "utf8")
    ) as Manifest
    const peers = Object.keys(peerDependencies ?? {}).filter(
      (peer) => peerDependenciesMeta?.[peer]?.optional !== true
    )
    for (const next of [...Object.keys(dependencies ?? {}), ...peers]) add(folder, next)
  }
  add(directory, name)
  return { name, packages: needed.size, bytes: [...needed.values()].reduce((sum, bytes) => sum + bytes, 0) }
}

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
