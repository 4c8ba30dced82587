import { globSync, readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"

/** The directory of the repository. */
export const root = resolve(import.meta.dirname, "../../..")

/** What this tool makes: git ignores it. */
export const output = resolve(import.meta.dirname, "../dist")

/** What is read of a `package.json`. */
export interface Manifest {
  readonly name: string
  readonly description: string
  readonly private?: boolean
  readonly repository?: { readonly url: string }
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>
}

/** The packages that are published, by folder, such as `packages/mtls`. */
export const publishedPackages = (): ReadonlyMap<string, Manifest> =>
  new Map(
    globSync("{packages,apps}/*/package.json", { cwd: root })
      .toSorted()
      .map((file) => [dirname(file), JSON.parse(readFileSync(join(root, file), "utf8")) as Manifest] as const)
      .filter(([, manifest]) => manifest.private !== true)
  )

/** Where people read a file of the repository that is no page of the site. */
export const repositoryAddress = (): string => {
  const [address] = [...publishedPackages().values()].map(({ repository }) => repository?.url)
  if (address === undefined) throw new Error("No package.json names the repository")
  return address.replace(/^git\+/, "").replace(/\.git$/, "")
}
