import { assert, describe, it } from "@effect/vitest"
import { satisfies } from "semver"
import { nameOf } from "../src/Lockfile.ts"
import { read, readLockfile } from "../src/Repository.ts"

const lockfile = readLockfile()
const packages = Object.entries(lockfile.packages)

describe("npm ci in a fresh clone", () => {
  it.each(["22.19.0", "24.0.0", "26.0.0"])(
    "npm ci on Node %s warns of no package that wants another",
    (version) => {
      const unsupported = packages
        .filter(([, { engines }]) => engines?.node !== undefined && !satisfies(version, engines.node))
        .map(([folder, { engines }]) => `${folder} wants ${engines?.node}`)
      assert.deepStrictEqual(unsupported, [])
    }
  )

  it("npm ci knows of each package with a script whether it may run it, and does not ask", () => {
    const { allowScripts } = JSON.parse(read("package.json")) as {
      readonly allowScripts: Readonly<Record<string, boolean>>
    }
    const withScripts = packages
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([folder]) => nameOf(lockfile, folder))
    assert.deepStrictEqual(Object.keys(allowScripts).toSorted(), [...new Set(withScripts)].toSorted())
  })
})
