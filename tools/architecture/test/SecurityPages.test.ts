import { assert, describe, it } from "@effect/vitest"
import { globSync, statSync } from "node:fs"
import { resolve } from "node:path"
import { read, root } from "../src/Workspace.ts"

const pages = ["SECURITY.md", "docs/hardening.md", ...globSync("docs/security/*.md", { cwd: root }).sort()]

/** Paths of test files in Markdown, as they stand between backticks. */
const testPathsIn = (text: string): ReadonlyArray<string> => [
  ...new Set([...text.matchAll(/`([^`\s]+\.test\.ts)`/g)].map(([, path = ""]) => path))
]

/** Targets of links to files of the repository, without the heading. */
const linkedFilesIn = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target))

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true

describe("what is said about security", () => {
  it.each(pages)("each test that %s names exists", (page) => {
    assert.deepStrictEqual(
      testPathsIn(read(page)).filter((path) => !isFile(resolve(root, path))),
      []
    )
  })

  it.each(pages)("each file that %s links to exists", (page) => {
    const folder = resolve(root, page, "..")
    assert.deepStrictEqual(
      linkedFilesIn(read(page)).filter((target) => !isFile(resolve(folder, target))),
      []
    )
  })

  it("SECURITY.md has a threat model, says which versions are supported, and names ten tests or more", () => {
    const text = read("SECURITY.md")
    for (const heading of ["## Threat model", "## Supported versions"]) {
      assert.include(text.split("\n"), heading)
    }
    assert.isAtLeast(testPathsIn(text).length, 10)
  })

  it.each(["docs/security/rfc9700.md", "docs/security/mcp.md"])(
    "each line of %s that is met, or met in part, names a test",
    (page) => {
      const rows = read(page)
        .split("\n")
        .filter((line) => /\|\s*(?:met|in part)\s*\|/.test(line))
      assert.isAtLeast(rows.length, 15)
      assert.deepStrictEqual(
        rows.filter((row) => testPathsIn(row).length === 0),
        []
      )
    }
  )

  it("a path of a test is found between backticks, and nowhere else", () => {
    assert.deepStrictEqual(testPathsIn("`a/B.test.ts`, c/D.test.ts and `a/B.test.ts`, `E.ts`"), [
      "a/B.test.ts"
    ])
  })

  it("a link to a file is found without its heading, and one to another site is none", () => {
    assert.deepStrictEqual(linkedFilesIn("[a](docs/a.md#b) [c](https://c.example) [d](#d)"), ["docs/a.md"])
  })
})
