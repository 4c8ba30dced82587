/** A part of the menu beside each page. */
export interface MenuPart {
  readonly text: string
  readonly items: Array<{ readonly text: string; readonly link: string }>
}

/**
 * The menu is what the start page says: its headings, and the pages that it links to below each.
 *
 * @param titleOfPage the title of the page at a path
 */
export const menuOf = (startPage: string, titleOfPage: (path: string) => string): Array<MenuPart> =>
  startPage
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [heading = ""] = section.split("\n")
      const paths = [...section.matchAll(/\]\((?![a-z]+:)([^)#\s]+\.md)\)/g)].map(([, path = ""]) => path)
      return {
        text: heading,
        items: [...new Set(paths)].map((path) => ({ text: titleOfPage(path), link: `/${path}` }))
      }
    })

/** The first heading of a page, without its marks. */
export const titleOf = (page: string): string => /^# (.*)$/m.exec(page)?.[1]?.replaceAll("`", "") ?? ""
