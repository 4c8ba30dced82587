import { globSync, readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import type { Lockfile } from "./Lockfile.ts"

/** The directory of the repository. */
export const root = resolve(import.meta.dirname, "../../..")

export const read = (file: string): string => readFileSync(resolve(root, file), "utf8")

export const readLockfile = (): Lockfile => JSON.parse(read("package-lock.json")) as Lockfile

/** What is read of a `package.json`. */
export interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly license?: string
  readonly repository?: { readonly url: string; readonly directory: string }
  readonly files?: ReadonlyArray<string>
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
  readonly publishConfig?: Readonly<Record<string, unknown>>
}

export const manifestOf = (folder: string): Manifest => JSON.parse(read(`${folder}/package.json`)) as Manifest

/** The folders of the workspaces that are published, such as `packages/mtls`. */
export const publishedFolders: ReadonlyArray<string> = globSync(
  "{packages,apps,examples,tools}/*/package.json",
  {
    cwd: root
  }
)
  .map(dirname)
  .filter((folder) => manifestOf(folder).private !== true)
  .toSorted()

/** The one workspace whose tarball has the code of others inside: all that it needs, so that it depends on nothing. */
export const bundledFolder = "apps/gateway"
