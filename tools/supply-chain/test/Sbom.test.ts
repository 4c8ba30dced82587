import { assert, beforeAll, describe, it } from "@effect/vitest"
import { type Bundle, bundleGateway } from "../src/Bundle.ts"
import { type Lockfile, nameOf } from "../src/Lockfile.ts"
import { bundledFolder, publishedFolders, readLockfile } from "../src/Repository.ts"
import { type Component, sbomOf } from "../src/Sbom.ts"

const lockfile = readLockfile()
const built: { bundle?: Bundle } = {}

const bundle = (): Bundle => {
  assert.isDefined(built.bundle)
  return built.bundle
}

const isBundled = ({ properties = [] }: Component): boolean =>
  properties.some(({ name, value }) => name === "cdx:npm:package:bundled" && value === "true")

beforeAll(async () => {
  built.bundle = await bundleGateway(lockfile)
})

describe("the bill of materials", () => {
  it("the bill of materials of the gateway marks what is in its bundle, with the hash of each tarball", () => {
    const { packages } = bundle()
    const bundled = sbomOf(lockfile, bundledFolder, packages).components.filter(isBundled)
    assert.deepStrictEqual(
      bundled.map(({ name }) => name).toSorted(),
      [...packages].map((folder) => nameOf(lockfile, folder)).toSorted()
    )
    assert.includeMembers(
      bundled.map(({ name }) => name),
      ["effect", "jose", "redis", "undici"]
    )
    for (const { hashes, name } of bundled)
      if (!name.startsWith("@secure-mcp/")) assert.match(hashes?.[0]?.content ?? "", /^[0-9a-f]{128}$/)
  })

  it.each(publishedFolders)(
    "the bill of materials of %s names each component once, and knows all it refers to",
    (folder) => {
      const packages = folder === bundledFolder ? bundle().packages : new Set<string>()
      const { components, dependencies, metadata } = sbomOf(lockfile, folder, packages)
      const refs = [metadata.component, ...components].map((component) => component["bom-ref"])
      assert.lengthOf(new Set(refs), refs.length)
      const referred = dependencies.flatMap(({ dependsOn }) => dependsOn)
      assert.deepStrictEqual(
        [...dependencies.map(({ ref }) => ref), ...referred].filter((ref) => !refs.includes(ref)),
        []
      )
    }
  )

  it("the bill of materials of a package has what its peers need, and nothing of other packages' tests", () => {
    const names = sbomOf(lockfile, "packages/mtls", new Set()).components.map(({ name }) => name)
    assert.includeMembers(names, ["@secure-mcp/oauth-core", "effect", "undici", "ws"])
    assert.notIncludeMembers(names, ["oidc-provider", "vitest"])
  })

  it("code in a bundle that its package does not depend on is an error", () => {
    assert.throws(
      () => sbomOf(lockfile, "packages/oauth-core", new Set(["node_modules/redis"])),
      /node_modules\/redis/
    )
  })

  it("a package is found in the nearest folder, as Node finds it", () => {
    const packages: Lockfile["packages"] = {
      a: { name: "a", version: "1.0.0", dependencies: { b: "1", c: "1" } },
      "node_modules/b": { version: "1.0.0", dependencies: { c: "2" } },
      "node_modules/b/node_modules/c": { version: "2.0.0" },
      "node_modules/c": { version: "1.0.0" }
    }
    const { dependencies } = sbomOf({ packages }, "a", new Set())
    assert.deepStrictEqual(dependencies.slice(0, 2), [
      { ref: "pkg:npm/a@1.0.0", dependsOn: ["pkg:npm/b@1.0.0", "pkg:npm/c@1.0.0"] },
      { ref: "pkg:npm/b@1.0.0", dependsOn: ["pkg:npm/c@2.0.0"] }
    ])
  })
})

describe("the notices of the bundle", () => {
  it("the notices have the text of the licence of each package in the bundle", () => {
    const { notices, thirdParties } = bundle()
    const [, ...sections] = notices.split(/^-{80}$/m)
    assert.deepStrictEqual(
      sections.map((section) => section.trim().split(" ")[0]).toSorted(),
      [...thirdParties].map((folder) => nameOf(lockfile, folder)).toSorted()
    )
    for (const section of sections) {
      assert.match(section, /copyright/i)
      assert.match(section, /permission (?:is hereby granted|to use, copy)/i)
    }
  })
})
