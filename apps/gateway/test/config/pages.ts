import { globSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../../../", import.meta.url))

/** Every page for people: Markdown of the repository, as a path from its directory. */
export const pages: ReadonlyArray<string> = globSync(
  ["*.md", "docs/**/*.md", "{packages,apps,examples,tools}/*/README.md"],
  { cwd: root }
).toSorted()

export const textOf = (page: string): string => readFileSync(`${root}${page}`, "utf8")

/** The blocks of code of a page in a language. */
export const blocksIn = (page: string, language: string): ReadonlyArray<string> =>
  [...textOf(page).matchAll(new RegExp(`^\`\`\`${language}\\n(?<code>[\\s\\S]*?)^\`\`\``, "gm"))].map(
    ({ groups }) => groups?.["code"] ?? ""
  )
