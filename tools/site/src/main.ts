import { join, resolve } from "node:path"
import { build } from "vitepress"
import { writeApiReference } from "./ApiReference.ts"
import { publicEntries } from "./Entries.ts"
import { sitePages, writePages } from "./Pages.ts"
import { output } from "./Repository.ts"

/** `npm run docs`: the documentation as a site, with the API reference below `api/`. */
const tool = resolve(import.meta.dirname, "..")
const site = join(output, "site")
writePages(sitePages(), join(output, "pages"))
await build(tool)
await writeApiReference(publicEntries(), join(tool, "tsconfig.reference.json"), join(site, "api"))
process.stdout.write(`${join(site, "index.html")}\n`)
