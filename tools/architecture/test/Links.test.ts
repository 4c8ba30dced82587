import { assert, describe, it } from "@effect/vitest"
import { globSync } from "node:fs"
import { deadLinksOf, headingsIn, linksIn } from "../src/Links.ts"
import { read, root } from "../src/Workspace.ts"

const pages = globSync(["*.md", "docs/**/*.md", "{packages,apps,examples,tools}/*/README.md"], {
  cwd: root
}).toSorted()

describe("the links of a page", () => {
  it.each(pages)("each link of %s leads to a file and a heading that are there", (page) => {
    assert.deepStrictEqual(deadLinksOf(page), [])
  })

  it("the start page leads to each guide and each example", () => {
    const linked = new Set(linksIn(read("docs/index.md")).map(({ target }) => target))
    const guides = globSync("guides/*.md", { cwd: `${root}/docs` })
    const examples = globSync("examples/*/package.json", { cwd: root }).map(
      (file) => `../${file.slice(0, -13)}`
    )
    assert.isAbove(guides.length, 5)
    const all = new Set([
      ...linked,
      ...guides.flatMap((guide) =>
        linksIn(read(`docs/${guide}`)).map(({ target }) => target.replace("../../", "../"))
      )
    ])
    assert.deepStrictEqual(
      [...guides.filter((guide) => !linked.has(guide)), ...examples.filter((example) => !all.has(example))],
      []
    )
  })

  it("a link is found with its heading, and one to another site or in a block of code is none", () => {
    const text = "[a](docs/a.md#b) [c](https://c.example) [d](#d)\n```md\n[e](e.md)\n```\n[f](../f)"
    assert.deepStrictEqual(linksIn(text), [
      { target: "docs/a.md", heading: "b" },
      { target: "", heading: "d" },
      { target: "../f", heading: undefined }
    ])
  })

  it("a heading is named as on GitHub", () => {
    assert.deepStrictEqual([...headingsIn("# A b\n## `store`: one, two\n text")], ["a-b", "store-one-two"])
  })
})
