import { globSync, readFileSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"

/** The directory of the repository. */
export const root = resolve(import.meta.dirname, "../../..")

/** One entry of a published package: what an `import` of it gives. */
export interface Entry {
  /** As it is imported, such as `@secure-mcp/token-cache/testing`. */
  readonly name: string
  /** The folder of the package. */
  readonly folder: string
  /** Its declarations. `npm run build` makes them. */
  readonly declarations: string
  /** Where its report is. */
  readonly report: string
}

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, string | { readonly types?: string }>>
}

/** The entries of all published packages. `internal` is none: nobody else may rely on it. */
export const publicEntries = (): ReadonlyArray<Entry> =>
  globSync("packages/*/package.json", { cwd: root })
    .toSorted()
    .flatMap((file) => {
      const manifest = JSON.parse(readFileSync(join(root, file), "utf8")) as Manifest
      return manifest.private === true ? [] : entriesOf(manifest, join(root, dirname(file)))
    })

const entriesOf = ({ exports = {}, name }: Manifest, folder: string): ReadonlyArray<Entry> =>
  Object.entries(exports).flatMap(([path, target]) => {
    const types = typeof target === "string" ? undefined : target.types
    if (types === undefined || path === "./internal") return []
    const part = path.slice(2)
    const file = part === "" ? basename(folder) : `${basename(folder)}-${part}`
    return [
      {
        name: part === "" ? name : `${name}/${part}`,
        folder,
        declarations: join(folder, types),
        report: join(folder, "etc", `${file}.api.md`)
      }
    ]
  })
