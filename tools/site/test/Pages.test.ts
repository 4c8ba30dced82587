import { assert, describe, it } from "@effect/vitest"
import { headingName, linksOf, withLinks } from "../src/PageLinks.ts"
import { sitePages } from "../src/Pages.ts"
import { menuOf, titleOf } from "../src/Sidebar.ts"

const address = "https://github.com/secure-mcp/secure-mcp-gateway"

const pages = new Map(sitePages().map((page) => [page.file, page]))

describe("the pages of the site", () => {
  it("docs/index.md is the start page of the site, and a README stands for its folder", () => {
    assert.strictEqual(pages.get("docs/index.md")?.path, "index.md")
    assert.strictEqual(pages.get("docs/guides/clients.md")?.path, "guides/clients.md")
    assert.strictEqual(pages.get("packages/oauth-client/README.md")?.path, "packages/oauth-client/index.md")
    assert.strictEqual(pages.get("SECURITY.md")?.path, "SECURITY.md")
  })

  it("no two pages of the site have the same place", () => {
    const places = [...pages.values()].map(({ path }) => path.toLowerCase())
    assert.strictEqual(new Set(places).size, places.length)
  })

  it("a link to a page leads to its place on the site, with the heading", () => {
    const start = pages.get("docs/index.md")?.text ?? ""
    assert.include(start, "[Quick start](examples/quickstart/index.md)")
    assert.include(start, "[security](SECURITY.md)")
    const errors = pages.get("docs/guides/errors.md")?.text ?? ""
    assert.include(errors, "](../packages/oauth-client/index.md#errors)")
  })

  it("a link to another file leads to the repository", () => {
    const hardening = pages.get("docs/hardening.md")?.text ?? ""
    assert.include(hardening, `](${address}/blob/main/apps/gateway/systemd/secure-mcp-gateway.service)`)
  })
})

describe("the links of a page of the site", () => {
  it("code and links to other sites are left alone", () => {
    const text = "[a](b.md#c) `[d](e)` [f](https://g.example/)\n```md\n[h](i)\n```\n[`j`](k)"
    assert.deepStrictEqual(linksOf(text), [
      { target: "b.md", heading: "#c" },
      { target: "k", heading: "" }
    ])
    assert.strictEqual(
      withLinks(text, ({ target }) => target.toUpperCase()),
      "[a](B.MD) `[d](e)` [f](https://g.example/)\n```md\n[h](i)\n```\n[`j`](K)"
    )
  })

  it("a heading of the site is named as on GitHub", () => {
    assert.strictEqual(headingName("`store`: one, two_three"), "store-one-two_three")
  })
})

describe("the menu of the site", () => {
  it("the menu has the headings of the start page, and the titles of its pages below them", () => {
    const text =
      "# Start\n[no](no.md)\n## Run it\n1. [Quick](a/b.md), [site](https://c.example/c.md)\n2. [Two](d.md) [again](d.md)\n"
    assert.deepStrictEqual(
      menuOf(text, (path) => titleOf(`# The \`page\` ${path}\n\n# Another`)),
      [
        {
          text: "Run it",
          items: [
            { text: "The page a/b.md", link: "/a/b.md" },
            { text: "The page d.md", link: "/d.md" }
          ]
        }
      ]
    )
  })
})
