import { globSync, linkSync, mkdirSync, readFileSync, statSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import type { InstalledRow } from "./ReadmeTable.ts"

/** What a package.json says of what it needs. */
export interface Manifest {
  readonly version?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

/** All that a package needs of `node_modules`, as npm installs it. */
export const installedWith = (directory: string, name: string): InstalledRow => {
  const needed = foldersNeededBy(directory, [name])
  const own = resolvePackage(directory, directory, name)
  return {
    name,
    dependencies: own === undefined ? [] : neededBy(manifestIn(own)),
    packages: needed.length,
    bytes: needed.reduce((sum, folder) => sum + sizeOf(folder), 0)
  }
}

/** Makes a folder in which only some packages are installed, and what they need. Gives its size. */
export const installOnly = (directory: string, names: ReadonlyArray<string>, target: string): number => {
  const folders = foldersNeededBy(directory, names)
  for (const folder of folders)
    for (const file of filesOf(folder)) {
      const place = join(target, relative(directory, file))
      mkdirSync(dirname(place), { recursive: true })
      linkSync(file, place)
    }
  return folders.reduce((sum, folder) => sum + sizeOf(folder), 0)
}

/** The folders of packages, and of all that they need. */
const foldersNeededBy = (directory: string, names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const needed = new Set<string>()
  const add = (from: string, wanted: string): void => {
    const folder = resolvePackage(directory, from, wanted)
    if (folder === undefined || needed.has(folder)) return
    needed.add(folder)
    for (const next of neededBy(manifestIn(folder))) add(folder, next)
  }
  for (const name of names) add(directory, name)
  return [...needed]
}

/** What a package names as needed, its peers included. */
export const neededBy = ({ dependencies, peerDependencies, peerDependenciesMeta }: Manifest) =>
  [
    ...Object.keys(dependencies ?? {}),
    ...Object.keys(peerDependencies ?? {}).filter((peer) => peerDependenciesMeta?.[peer]?.optional !== true)
  ].toSorted()

/** The `package.json` of a folder. */
export const manifestIn = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest

const resolvePackage = (directory: string, from: string, name: string): string | undefined => {
  for (let folder = from; folder.length >= directory.length; folder = join(folder, "..")) {
    const found = join(folder, "node_modules", name)
    if (statSync(join(found, "package.json"), { throwIfNoEntry: false }) !== undefined) return found
  }
  return undefined
}

/** Without the packages inside, which count for themselves. */
const filesOf = (folder: string): ReadonlyArray<string> =>
  globSync("**/*", { cwd: folder, exclude: (path) => path === "node_modules" })
    .map((path) => join(folder, path))
    .filter((path) => statSync(path).isFile())

/** The bytes of the files of a `node_modules`, and of everything in it. */
export const bytesIn = (folder: string): number =>
  globSync("**/*", { cwd: folder })
    .map((path) => statSync(join(folder, path)))
    .reduce((sum, found) => sum + (found.isFile() ? found.size : 0), 0)

const sizeOf = (folder: string): number => filesOf(folder).reduce((sum, file) => sum + statSync(file).size, 0)
