/** What is read of `package-lock.json` (lockfileVersion 3). */
export interface Lockfile {
  /** By the folder that a package is in: `packages/mtls`, `node_modules/cross-spawn/node_modules/which`. */
  readonly packages: Readonly<Record<string, LockedPackage>>
}

export interface LockedPackage {
  readonly name?: string
  readonly version?: string
  readonly license?: string
  /** What it says it runs on. */
  readonly engines?: { readonly node?: string }
  /** Whether npm would run a script of it. */
  readonly hasInstallScript?: boolean
  /** Subresource integrity of the tarball: `sha512-` and base64. */
  readonly integrity?: string
  /** The folder of a workspace, if `link` is true. */
  readonly resolved?: string
  readonly link?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

/** The folders of a package and of everything that is installed with it, and the folders that each of them needs. */
export type Tree = ReadonlyMap<string, ReadonlyArray<string>>

/** Follows `dependencies`, and peers that are not optional, from a folder on. Throws if something is not in the lock file. */
export const treeOf = (lockfile: Lockfile, folder: string): Tree => {
  const tree = new Map<string, ReadonlyArray<string>>()
  const visit = (current: string): void => {
    if (tree.has(current)) return
    const needed = namesNeededBy(lockedAt(lockfile, current)).map((name) => folderOf(lockfile, current, name))
    tree.set(current, needed)
    needed.forEach(visit)
  }
  visit(folder)
  return tree
}

/**
 * The folder of a package whose dependencies are in its bundle, and of all that is in it. npm installs none of them, so they are
 * development dependencies. Throws if something is in the bundle that the package does not depend on.
 *
 * @param bundled folders of packages that have code in the bundle, workspaces among them
 */
export const bundledTreeOf = (lockfile: Lockfile, folder: string, bundled: ReadonlySet<string>): Tree => {
  const tree = new Map<string, ReadonlyArray<string>>()
  const visit = (current: string, names: ReadonlyArray<string>): void => {
    if (tree.has(current)) return
    const needed = names
      .map((name) => folderOf(lockfile, current, name))
      .filter((other) => bundled.has(other))
    tree.set(current, needed)
    for (const other of needed) visit(other, namesNeededBy(lockedAt(lockfile, other)))
  }
  const own = lockedAt(lockfile, folder)
  visit(folder, [...namesNeededBy(own), ...Object.keys(own.devDependencies ?? {})])
  const absent = [...bundled].filter((other) => !tree.has(other))
  if (absent.length > 0)
    throw new Error(`The bundle of ${folder} has what it does not depend on: ${absent.join(", ")}`)
  return tree
}

export const lockedAt = ({ packages }: Lockfile, folder: string): LockedPackage => {
  const locked = packages[folder]
  if (locked === undefined) throw new Error(`package-lock.json has no ${folder}`)
  return locked
}

/** The folder whose package a file belongs to: the longest one that leads to it. Undefined for no package's. */
export const folderOfFile = ({ packages }: Lockfile, file: string): string | undefined =>
  Object.keys(packages)
    .filter((folder) => folder !== "" && file.startsWith(`${folder}/`))
    .toSorted((a, b) => b.length - a.length)[0]

/** `which` of `node_modules/cross-spawn/node_modules/which`; a workspace has its name in the lock file. */
export const nameOf = (lockfile: Lockfile, folder: string): string =>
  lockedAt(lockfile, folder).name ??
  folder.slice(folder.lastIndexOf("node_modules/") + "node_modules/".length)

const namesNeededBy = ({ dependencies, peerDependencies, peerDependenciesMeta }: LockedPackage) => [
  ...Object.keys(dependencies ?? {}),
  ...Object.keys(peerDependencies ?? {}).filter((name) => peerDependenciesMeta?.[name]?.optional !== true)
]

/** Where Node finds a package that is imported in a folder: nearest `node_modules` first. */
const folderOf = (lockfile: Lockfile, from: string, name: string): string => {
  const parts = from.split("/")
  const places = [...parts.keys(), parts.length]
    .toReversed()
    .map((length) => [...parts.slice(0, length), "node_modules", name].join("/"))
  const found = places.find((place) => lockfile.packages[place] !== undefined)
  if (found === undefined) throw new Error(`package-lock.json has no ${name}, which ${from} needs`)
  const { link, resolved } = lockedAt(lockfile, found)
  return link === true && resolved !== undefined ? resolved : found
}
