/** A link as it stands in Markdown. */
export interface PageLink {
  /** As a path beside the page; empty for a heading of the page itself. */
  readonly target: string
  /** `#` and the heading; empty if the link names none. */
  readonly heading: string
}

/** The page with other links: `target` says where each one leads. Code and links to other sites stay as they are. */
export const withLinks = (text: string, target: (link: PageLink) => string): string =>
  text.replaceAll(codeOrLink, (found: string, path: string | undefined, heading: string = "") =>
    path === undefined || /^[a-z]+:/.test(path) ? found : `](${target({ target: path, heading })})`
  )

/** A block of code, code in a line, or the second half of a link. */
const codeOrLink = /^```[\s\S]*?^```|`[^`\n]+`|\]\(([^)#\s]*)(#[^)\s]*)?\)/gm

/** The links of a page that lead to no other site. */
export const linksOf = (text: string): ReadonlyArray<PageLink> => {
  const links: Array<PageLink> = []
  withLinks(text, (link) => {
    links.push(link)
    return ""
  })
  return links
}

/** The name of a heading, as GitHub makes it. */
export const headingName = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
    .replaceAll(" ", "-")
