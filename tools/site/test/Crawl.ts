import type { Page } from "playwright-core"

/** What a browser found at an address. */
interface Visited {
  readonly status: number
  /** What a `#` of a link may name. */
  readonly anchors: ReadonlySet<string>
}

/** What a browser found on a site. */
export interface Crawled {
  readonly pages: number
  readonly links: number
  /** `page -> address` for each link that leads to no page, or to no place on it. */
  readonly dead: ReadonlyArray<string>
}

/** The most pages that are visited: more are an error of the site, or of this function. */
const mostPages = 2000

/**
 * Follows each link from the start page on that stays on the site. Pages of the documentation are opened, so that their scripts
 * run. Those below `api/` are many, and say the same without scripts: they are loaded and parsed.
 */
export const crawl = async (page: Page, site: string): Promise<Crawled> => {
  const visited = new Map<string, Visited>()
  const links = new Map<string, ReadonlySet<string>>()
  const waiting = ["/"]
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    if (visited.has(path)) continue
    if (visited.size === mostPages) throw new Error(`The site has more than ${mostPages} pages`)
    const isOpened = !path.startsWith("/api/") || path === "/api/index.html"
    const status = isOpened ? ((await page.goto(`${site}${path}`))?.status() ?? 0) : undefined
    const found = await page.evaluate(readPage, isOpened ? undefined : path)
    visited.set(path, { status: status ?? found.status, anchors: new Set(found.anchors) })
    const onSite = found.links.map((link) => new URL(link)).filter(({ origin }) => origin === site)
    links.set(path, new Set(onSite.map(({ hash, pathname }) => `${pathname}${hash}`)))
    waiting.push(...onSite.map(({ pathname }) => pathname))
  }
  const all = [...links].flatMap(([from, targets]) => [...targets].map((target) => ({ from, target })))
  const dead = all
    .filter(({ target }) => !leadsSomewhere(visited, target))
    .map(({ from, target }) => `${from} -> ${target}`)
  return { pages: visited.size, links: all.length, dead }
}

const leadsSomewhere = (visited: ReadonlyMap<string, Visited>, target: string): boolean => {
  const [path = "", anchor] = target.split("#")
  const found = visited.get(path)
  return found?.status === 200 && (anchor === undefined || found.anchors.has(decodeURIComponent(anchor)))
}

// What a browser has of the following: all of its types would change those of Node.
interface HtmlDocument {
  querySelectorAll(selector: string): Iterable<{
    readonly id: string
    getAttribute(name: string): string | null
  }>
}
declare const document: HtmlDocument
declare const location: { readonly href: string }
declare const DOMParser: new () => { parseFromString(text: string, type: "text/html"): HtmlDocument }

/** Runs in the browser: reads the page that is open, or another one without its scripts. */
const readPage = async (path: string | undefined) => {
  const response = path === undefined ? undefined : await fetch(path)
  const text = response === undefined ? undefined : await response.text()
  const found = text === undefined ? document : new DOMParser().parseFromString(text, "text/html")
  const base = new URL(path ?? location.href, location.href)
  return {
    status: response?.status ?? 0,
    anchors: [...found.querySelectorAll("[id]")].map(({ id }) => id),
    links: [...found.querySelectorAll("a[href]")].map(
      (link) => new URL(link.getAttribute("href") ?? "", base).href
    )
  }
}
