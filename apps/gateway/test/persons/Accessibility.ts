import axe from "axe-core"
import * as Effect from "effect/Effect"
import type { Page } from "playwright-core"

const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

/** `colors` is the background that the page has really got: a page whose style was refused would pass, too. */
export interface Findings {
  readonly violations: ReadonlyArray<string>
  readonly undecided: ReadonlyArray<string>
  readonly passes: number
  readonly background: string
  /** How many pixels of the page stand beyond its right edge. */
  readonly overflow: number
}

const inPage = `(async () => {
  const found = await axe.run(document, { runOnly: ${JSON.stringify(tags)} })
  const lines = (rules) => rules.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => [id, html, failureSummary].join(": ")))
  return {
    violations: lines(found.violations),
    undecided: lines(found.incomplete),
    passes: found.passes.length,
    background: getComputedStyle(document.body).backgroundColor,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth
  }
})()`

/** What axe says about a page as it is shown in one colour scheme and width. The page's policy does not hold for the debugger. */
export const examine = (page: Page, colorScheme: "light" | "dark", width: number) =>
  Effect.promise(async (): Promise<Findings> => {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width, height: 640 })
    await page.evaluate(axe.source)
    return page.evaluate<Findings>(inPage)
  })

/** What the browser writes in its console from now on, if a page does what its policy does not allow. */
export const policyViolations = (page: Page): ReadonlyArray<string> => {
  const found: Array<string> = []
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) found.push(message.text())
  })
  return found
}
