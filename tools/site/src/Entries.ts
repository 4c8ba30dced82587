import { join } from "node:path"
import { type Manifest, publishedPackages } from "./Repository.ts"

/** One entry of a published package: what an `import` of it gives. */
export interface Entry {
  /** As it is imported, such as `@secure-mcp/token-cache/testing`. */
  readonly name: string
  /** Its source, from the repository's directory. */
  readonly source: string
  /** One sentence about the package, if this is what its own name gives. */
  readonly description: string | undefined
}

/** The entries of all published packages. `internal` is none: nobody else may rely on it. */
export const publicEntries = (): ReadonlyArray<Entry> =>
  [...publishedPackages()].flatMap(([folder, manifest]) => entriesOf(folder, manifest))

const entriesOf = (folder: string, { description, exports = {}, name }: Manifest): ReadonlyArray<Entry> =>
  Object.entries(exports).flatMap(([path, target]) => {
    const source = typeof target === "string" ? undefined : target["@secure-mcp/source"]
    return source === undefined || path === "./internal"
      ? []
      : [
          {
            name: join(name, path),
            source: join(folder, source),
            description: path === "." ? description : undefined
          }
        ]
  })
