import { readFileSync } from "node:fs"
import { join } from "node:path"
import { defineConfig } from "vitepress"
import { headingName } from "../src/PageLinks.ts"
import { output, repositoryAddress } from "../src/Repository.ts"
import { menuOf, titleOf } from "../src/Sidebar.ts"

const page = (path: string): string => readFileSync(join(output, "pages", path), "utf8")

/** The pages in `dist/pages`, which `npm run docs` has written there, as a site in `dist/site`. */
export default defineConfig({
  title: "Secure MCP Gateway",
  description: "An OAuth 2.0/2.1 client for MCP gateways",
  srcDir: "dist/pages",
  outDir: "dist/site",
  cacheDir: "dist/cache",
  markdown: { anchor: { slugify: headingName } },
  themeConfig: {
    search: { provider: "local" },
    outline: "deep",
    nav: [
      { text: "Start", link: "/" },
      // Another program has made it: its pages are loaded, and not shown inside this one.
      { text: "API", link: "/api/index.html", target: "_self" },
      { text: "Repository", link: repositoryAddress() }
    ],
    sidebar: menuOf(page("index.md"), (path) => titleOf(page(path)))
  }
})
