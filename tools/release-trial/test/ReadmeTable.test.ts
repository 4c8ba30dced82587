import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { type Manifest, neededBy } from "../src/Installed.ts"
import { tableHeading } from "../src/ReadmeTable.ts"

const root = resolve(import.meta.dirname, "../../..")

const table = (): string => {
  const readme = readFileSync(join(root, "README.md"), "utf8")
  return readme.slice(readme.indexOf(tableHeading)).split(/\n#/)[0] ?? ""
}

const published = globSync("{packages,apps}/*/package.json", { cwd: root })
  .map(
    (file) =>
      JSON.parse(readFileSync(join(root, file), "utf8")) as Manifest & {
        readonly name: string
        readonly private?: boolean
      }
  )
  .filter((manifest) => manifest.private !== true)

describe("the table of what each package installs", () => {
  it.each(published)(
    "the README names what $name needs (`npm run release-trial -- --write-readme`)",
    (manifest) => {
      const rows = table()
        .split("\n")
        .filter((line) => line.includes(`| \`${manifest.name}\` `))
      assert.lengthOf(rows, 1)
      const [, , needs = ""] = rows[0]?.split("|") ?? []
      const named = [...needs.matchAll(/`([^`]+)`/g)].map(([, name]) => name)
      assert.deepStrictEqual(named, neededBy(manifest))
    }
  )
})
