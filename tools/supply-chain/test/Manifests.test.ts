import { assert, beforeAll, describe, it } from "@effect/vitest"
import { globSync } from "node:fs"
import { bundleGateway } from "../src/Bundle.ts"
import { lockedAt, nameOf, treeOf } from "../src/Lockfile.ts"
import { bundledFolder, manifestOf, publishedFolders, read, readLockfile, root } from "../src/Repository.ts"

const lockfile = readLockfile()

/** The folders of all that is installed with a published package, or is in the bundle, and is not ours. */
const thirdParties = new Set(
  publishedFolders
    .flatMap((folder) => [...treeOf(lockfile, folder).keys()])
    .filter((folder) => folder.includes("node_modules/"))
)

beforeAll(async () => {
  for (const folder of (await bundleGateway(lockfile)).thirdParties) thirdParties.add(folder)
})

/** npm runs these on the machine of who installs. */
const installScripts = ["preinstall", "install", "postinstall", "prepare"]

describe("a published package", () => {
  it.each(publishedFolders)("%s runs no script where it is installed", (folder) => {
    const { scripts = {} } = manifestOf(folder)
    assert.deepStrictEqual(
      installScripts.filter((name) => name in scripts),
      []
    )
    // npm builds a package that has this file.
    assert.deepStrictEqual(globSync(`${folder}/binding.gyp`, { cwd: root }), [])
  })

  it("nothing that is installed with a published package runs a script", () => {
    assert.isAbove(thirdParties.size, 30)
    assert.deepStrictEqual(
      [...thirdParties].filter((folder) => "hasInstallScript" in lockedAt(lockfile, folder)),
      []
    )
  })

  it.each(publishedFolders)(
    "%s is published with provenance, from the repository that it names",
    (folder) => {
      const { publishConfig, repository } = manifestOf(folder)
      assert.deepStrictEqual(publishConfig, { access: "public", provenance: true })
      assert.deepStrictEqual(repository?.directory, folder)
      assert.match(repository?.url ?? "", /^git\+https:\/\/github\.com\/secure-mcp\/secure-mcp-gateway\.git$/)
    }
  )

  it("the gateway, which is bundled, depends on nothing, and is built of exact versions of others", () => {
    const { dependencies, devDependencies, peerDependencies } = manifestOf(bundledFolder)
    assert.deepStrictEqual({ ...dependencies, ...peerDependencies }, {})
    const inexact = Object.entries(devDependencies ?? {}).filter(
      ([name, range]) => !name.startsWith("@secure-mcp/") && !/^\d+\.\d+\.\d+$/.test(range)
    )
    assert.deepStrictEqual(inexact, [])
  })

  it("docs/security/dependencies.md has each package that is installed with ours, and no other", () => {
    const rows = [...read("docs/security/dependencies.md").matchAll(/^\| (`.*?) *\|/gm)].flatMap(
      ([, cell = ""]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name)
    )
    assert.deepStrictEqual(
      rows.toSorted(),
      [...new Set([...thirdParties].map((folder) => nameOf(lockfile, folder)))].toSorted()
    )
  })
})

describe("the release workflow", () => {
  const workflow = read(".github/workflows/release.yml")

  it("the release workflow uses actions by the hash of a commit, with the version beside it", () => {
    const uses = [...workflow.matchAll(/^ *- uses: (.*)$/gm)].map(([, action = ""]) => action)
    assert.isAbove(uses.length, 2)
    assert.deepStrictEqual(
      uses.filter((action) => !/^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action)),
      []
    )
  })

  it("the release workflow may name itself to npm in the job that publishes only, where no script of a dependency runs", () => {
    const [before = "", publish = ""] = workflow.split(/^ {2}publish:$/m)
    assert.notInclude(before, "id-token")
    assert.include(publish, "id-token: write")
    assert.include(publish, "npm ci --ignore-scripts")
    assert.include(publish, "npm audit --omit=dev")
    assert.include(publish, 'NPM_CONFIG_PROVENANCE: "true"')
    assert.notMatch(workflow, /secrets\./)
  })
})
