import { assert, describe, it } from "@effect/vitest"
import { existsSync, globSync } from "node:fs"
import { join } from "node:path"
import { publicEntries, root } from "../src/Entries.ts"

describe("the reports of what packages offer", () => {
  it("each entry of a published package has a report, and each report an entry", () => {
    const reports = publicEntries().map(({ report }) => report)
    const present = globSync("packages/*/etc/*.api.md", { cwd: root }).map((file) => join(root, file))
    assert.deepStrictEqual(present.toSorted(), reports.toSorted())
  })

  it("no report is of what only the packages of the family may import", () => {
    assert.isFalse(publicEntries().some(({ name }) => name.endsWith("/internal")))
    assert.isTrue(existsSync(join(root, "packages/oauth-core/src/internal.ts")))
  })
})
