import { bundledTreeOf, type LockedPackage, lockedAt, type Lockfile, nameOf, treeOf } from "./Lockfile.ts"

/** A bill of materials in the form CycloneDX 1.6, as far as we fill it. */
export interface Sbom {
  readonly $schema: string
  readonly bomFormat: "CycloneDX"
  readonly specVersion: "1.6"
  readonly version: 1
  readonly metadata: { readonly component: Component }
  readonly components: ReadonlyArray<Component>
  readonly dependencies: ReadonlyArray<{ readonly ref: string; readonly dependsOn: ReadonlyArray<string> }>
}

export interface Component {
  readonly type: "application" | "library"
  readonly "bom-ref": string
  readonly name: string
  readonly version: string
  readonly purl: string
  readonly licenses: ReadonlyArray<{ readonly license: { readonly id: string } }>
  readonly hashes?: ReadonlyArray<{ readonly alg: "SHA-512"; readonly content: string }>
  readonly properties?: ReadonlyArray<{ readonly name: string; readonly value: string }>
}

/**
 * What a published package is made of: everything that is installed with it, or that is in its bundle, in the versions of the
 * lock file. `npm sbom` cannot say it for one workspace: it leaves out what another workspace has as a
 * development dependency.
 *
 * @param folder of the workspace
 * @param bundled folders of packages whose code is inside the tarball; none for a package without a bundle
 */
export const sbomOf = (lockfile: Lockfile, folder: string, bundled: ReadonlySet<string>): Sbom => {
  const tree = bundled.size > 0 ? bundledTreeOf(lockfile, folder, bundled) : treeOf(lockfile, folder)
  const others = [...tree.keys()].filter((other) => other !== folder).toSorted()
  const refOf = (other: string) => purlOf(nameOf(lockfile, other), versionOf(lockfile, other))
  const component = (other: string, type: Component["type"]): Component => {
    const locked = lockedAt(lockfile, other)
    return {
      type,
      "bom-ref": refOf(other),
      name: nameOf(lockfile, other),
      version: versionOf(lockfile, other),
      purl: refOf(other),
      licenses: locked.license === undefined ? [] : [{ license: { id: locked.license } }],
      ...hashesOf(locked),
      // A name of the CycloneDX property taxonomy for npm.
      ...(bundled.has(other) ? { properties: [{ name: "cdx:npm:package:bundled", value: "true" }] } : {})
    }
  }
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: component(folder, bundled.size > 0 ? "application" : "library") },
    components: others.map((other) => component(other, "library")),
    dependencies: [folder, ...others].map((other) => ({
      ref: refOf(other),
      dependsOn: [...new Set((tree.get(other) ?? []).map(refOf))].toSorted()
    }))
  }
}

const versionOf = (lockfile: Lockfile, folder: string): string => {
  const { version } = lockedAt(lockfile, folder)
  if (version === undefined) throw new Error(`package-lock.json has no version of ${folder}`)
  return version
}

/** `pkg:npm/%40effect/platform-node@4.1.0` (Package URL) */
const purlOf = (name: string, version: string): string => `pkg:npm/${name.replace("@", "%40")}@${version}`

/** Hexadecimal; the lock file has base64. */
const hashesOf = ({ integrity }: LockedPackage): Pick<Component, "hashes"> => {
  const sha512 = /^sha512-(\S+)$/.exec(integrity ?? "")?.[1]
  return sha512 === undefined
    ? {}
    : { hashes: [{ alg: "SHA-512", content: Buffer.from(sha512, "base64").toString("hex") }] }
}
