import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import type { Plugin } from "rolldown"

/** A package of others whose code is in the bundle. */
interface BundledPackage {
  readonly name: string
  readonly version: string
  readonly license: string
  /** The words that the licence wants to be kept with the code. */
  readonly text: string
}

/**
 * Writes `THIRD_PARTY_NOTICES.txt` next to the bundle: the licences of all packages of others whose code is in it. Without the
 * text of a licence, or with a licence that nobody has looked at, there is no bundle.
 */
export const thirdPartyNotices = (): Plugin => ({
  name: "third-party-notices",
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap((file) => (file.type === "chunk" ? file.moduleIds : []))
    const folders = new Set(modules.filter((id) => id.includes("/node_modules/")).map(packageFolderOf))
    const packages = [...folders].map(readPackage).toSorted((a, b) => (a.name < b.name ? -1 : 1))
    this.emitFile({ type: "asset", fileName: "THIRD_PARTY_NOTICES.txt", source: noticesOf(packages) })
  }
})

const packageFolderOf = (moduleId: string): string => {
  for (let folder = dirname(moduleId); folder !== dirname(folder); folder = dirname(folder)) {
    // Some packages have a package.json without a name in folders of their own, to say `"type": "module"`.
    const manifest = join(folder, "package.json")
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).name !== undefined) return folder
  }
  throw new Error(`No package has ${moduleId}`)
}

const readPackage = (folder: string): BundledPackage => {
  const { license, name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  if (!acceptedLicenses.has(license))
    throw new Error(`Look at the licence of ${name} before it is bundled: ${license}`)
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(?:\.(?:md|txt))?$/i.test(entry))
  const path = file === undefined ? licenseKeptHere(name) : join(folder, file)
  if (path === undefined)
    throw new Error(`${name} comes without the text of its licence: add it to ${licenses}`)
  return { name, version, license, text: readFileSync(path, "utf8").replaceAll("\r\n", "\n").trim() }
}

const licenses = resolve(import.meta.dirname, "licenses")

/** Of packages that name a licence and come without its text: from the repository of their source. */
const licenseKeptHere = (name: string): string | undefined =>
  name === "redis" || name.startsWith("@redis/") ? join(licenses, "node-redis.txt") : undefined

/** All of them ask for their text to be kept, and for no more. */
const acceptedLicenses: ReadonlySet<string> = new Set(["MIT", "ISC"])

const noticesOf = (packages: ReadonlyArray<BundledPackage>): string =>
  [
    "The command secure-mcp-gateway (dist/secure-mcp-gateway.cjs and dist/chunks) contains code of these packages.",
    ...packages.map(({ license, name, text, version }) => `${name} ${version} (${license})\n\n${text}`)
  ].join(`\n\n${"-".repeat(80)}\n\n`) + "\n"
