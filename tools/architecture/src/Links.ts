import { statSync } from "node:fs"
import { resolve } from "node:path"
import { read, root } from "./Workspace.ts"

/** A link of a page to something in the repository. */
export interface Link {
  /** As a path beside the page; empty for a heading of the page itself. */
  readonly target: string
  /** The heading, as it stands behind `#`; undefined if the link names none. */
  readonly heading: string | undefined
}

/** The links of a page that lead to no other site. What stands in a block of code is none. */
export const linksIn = (text: string): ReadonlyArray<Link> =>
  [
    ...text
      .replaceAll(/^```[\s\S]*?^```/gm, "")
      .matchAll(/\]\((?<target>[^)#\s]*)(?:#(?<heading>[^)\s]*))?\)/g)
  ]
    .map(({ groups }) => ({ target: groups?.["target"] ?? "", heading: groups?.["heading"] }))
    .filter(({ heading, target }) => !/^[a-z]+:/.test(target) && (target !== "" || heading !== undefined))

/** The links of a page that lead nowhere. */
export const deadLinksOf = (page: string): ReadonlyArray<string> =>
  linksIn(read(page)).flatMap(({ heading, target }) => {
    const path = target === "" ? resolve(root, page) : resolve(root, page, "..", target)
    const found = statSync(path, { throwIfNoEntry: false })
    if (found === undefined) return [target]
    if (heading === undefined) return []
    const file = found.isDirectory() ? resolve(path, "README.md") : path
    return !file.endsWith(".md") || headingsIn(read(file)).has(heading) ? [] : [`${target}#${heading}`]
  })

/** The headings of a page, as a link names them on GitHub. */
export const headingsIn = (text: string): ReadonlySet<string> =>
  new Set(
    text
      .split("\n")
      .filter((line) => /^#{1,6} /.test(line))
      .map((line) =>
        line
          .replace(/^#+ /, "")
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
          .replaceAll(" ", "-")
      )
  )
