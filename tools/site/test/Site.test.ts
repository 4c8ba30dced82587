import { assert, beforeAll, describe, it } from "@effect/vitest"
import { chromiumProgram, requireProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { chromium } from "playwright-core"
import { output, root } from "../src/Repository.ts"
import { crawl } from "./Crawl.ts"
import { serveFolder } from "./StaticServer.ts"

const executablePath = requireProgram(chromiumProgram)

/** A page of a browser with a profile of its own, and what went wrong on it; closed with the scope. */
const openPage = Effect.acquireRelease(
  Effect.promise(() =>
    chromium.launch({
      ...(executablePath !== undefined && { executablePath }),
      headless: true,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync"
      ]
    })
  ),
  (browser) => Effect.promise(() => browser.close())
).pipe(
  Effect.flatMap((browser) => Effect.promise(() => browser.newPage())),
  Effect.map((page) => {
    const problems: Array<string> = []
    page.on("pageerror", ({ message }) => problems.push(`${page.url()}: ${message}`))
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(`${page.url()}: ${message.text()}`)
    })
    return { page, problems }
  })
)

describe.skipIf(executablePath === undefined)("the site in a browser", () => {
  beforeAll(async () => {
    await promisify(execFile)("npm", ["run", "--silent", "docs"], { cwd: root, timeout: 240_000 })
  })

  it.live("each link on the site leads to a page and a place on it, and no page has an error", () =>
    Effect.gen(function* () {
      const site = yield* serveFolder(join(output, "site"))
      const { page, problems } = yield* openPage
      const crawled = yield* Effect.promise(() => crawl(page, site))
      assert.deepStrictEqual(crawled.dead, [])
      assert.deepStrictEqual(problems, [])
      assert.isAbove(crawled.pages, 300)
      assert.isAbove(crawled.links, 3000)
    })
  )

  it.live("the search of the site finds a provider, and leads to its section", () =>
    Effect.gen(function* () {
      const site = yield* serveFolder(join(output, "site"))
      const { page } = yield* openPage
      yield* Effect.promise(async () => {
        await page.goto(`${site}/`)
        await page.getByRole("button", { name: "Search" }).click()
        await page.getByRole("searchbox").fill("keycloak")
        await page.locator('a[href="/providers.html#keycloak"]').click()
        await page.waitForURL(`${site}/providers.html#keycloak`)
        await page.getByRole("heading", { name: "Keycloak" }).waitFor()
      })
    })
  )

  it.live("a link that leads to no page, or to no place on it, is found", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "site-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true }))
      )
      const links = [
        "a.html",
        "a.html#here",
        "a.html#there",
        "b.html",
        "api/c.html",
        "https://other.example/d"
      ]
      writeFileSync(
        join(folder, "index.html"),
        `<!doctype html>${links.map((href) => `<a href="${href}">a link</a>`).join()}`
      )
      writeFileSync(join(folder, "a.html"), '<!doctype html><h2 id="here">Here</h2>')
      const site = yield* serveFolder(folder)
      const { page } = yield* openPage
      const { dead, links: followed } = yield* Effect.promise(() => crawl(page, site))
      assert.deepStrictEqual(dead, ["/ -> /a.html#there", "/ -> /b.html", "/ -> /api/c.html"])
      assert.strictEqual(followed, 5)
    })
  )
})
