import { assert, beforeAll, describe, it } from "@effect/vitest"
import {
  type BrowserPage,
  everyonePage,
  mePage,
  pageHeaders,
  textPage
} from "@secure-mcp/gateway-server/internal"
import { chromiumProgram, requireProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { text } from "node:stream/consumers"
import type { Page } from "playwright-core"
import { serveRaw } from "../http/RawHttp.ts"
import { openPage } from "../login/Chromium.ts"
import { startStubProvider } from "../login/StubProvider.ts"
import { examine, policyViolations } from "./Accessibility.ts"
import { everyoneView, fullView, hostileView, now, personView, serverView } from "./Views.ts"

const paths = { prefix: "" }

/** Serves pages with the headers that they have at the gateway, by path. Remembers the forms that come. */
const servePages = Effect.fnUntraced(function* (pages: Readonly<Record<string, BrowserPage>>) {
  const forms: Array<{ readonly path: string; readonly fields: Record<string, string> }> = []
  const { url } = yield* serveRaw(async (request, response) => {
    const path = request.url ?? ""
    if (request.method === "POST") {
      forms.push({ path, fields: Object.fromEntries(new URLSearchParams(await text(request))) })
      response.writeHead(303, { location: "/sent" }).end()
      return
    }
    const page = pages[path] ?? textPage(200, "Sent")
    response.writeHead(page.status, { ...pageHeaders(), ...page.headers }).end(page.html)
  })
  return { forms, at: (path: string) => new URL(path, url).href }
})

/** A page of each kind, with everything that it can show. */
const allPages: Readonly<Record<string, BrowserPage>> = {
  "/full": mePage(fullView, paths),
  "/hostile": mePage(hostileView, paths),
  "/empty": mePage(personView({ servers: [] }), paths),
  "/everyone": everyonePage(everyoneView, paths),
  "/nobody": everyonePage({ now, persons: [], isCut: false }, paths)
}

/** The page in both schemes, as wide as a window and as narrow as a telephone, or a window at 400 % zoom. */
const assertAccessible = Effect.fnUntraced(function* (page: Page, name: string) {
  const backgrounds: Array<string> = []
  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [1280, 320]) {
      const { background, overflow, passes, undecided, violations } = yield* examine(page, colorScheme, width)
      const where = `${name}, ${colorScheme}, ${width} px`
      assert.deepStrictEqual(violations, [], where)
      assert.deepStrictEqual(undecided, [], where)
      assert.isAbove(passes, 10, where)
      assert.strictEqual(overflow, 0, where)
      backgrounds.push(background)
    }
  }
  assert.deepStrictEqual(backgrounds, [
    "rgb(245, 246, 248)",
    "rgb(245, 246, 248)",
    "rgb(19, 22, 26)",
    "rgb(19, 22, 26)"
  ])
})

const go = (page: Page, url: string) => Effect.promise(() => page.goto(url))

/** Where the keyboard is: the name of the control, and whether a person sees that. */
const focused = `(() => {
  const control = document.activeElement
  const { outlineStyle, outlineWidth } = getComputedStyle(control)
  const { bottom, left, right, top } = control.getBoundingClientRect()
  const inView = top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth
  return [control.textContent, outlineStyle === "solid" && outlineWidth === "3px", inView]
})()`

describe("the pages in Chromium", () => {
  let executable: string | undefined
  beforeAll(() => {
    executable = requireProgram(chromiumProgram)
  })

  it.live("axe finds nothing wrong on the pages of persons, in both schemes and both widths", (test) =>
    Effect.gen(function* () {
      if (executable === undefined) return test.skip("there is no Chromium")
      const { at } = yield* servePages(allPages)
      const page = yield* openPage(executable)
      const refused = policyViolations(page)
      for (const path of Object.keys(allPages)) {
        yield* go(page, at(path))
        yield* assertAccessible(page, path)
      }
      assert.deepStrictEqual(refused, [])
    })
  )

  it.effect("axe finds nothing wrong on the pages of a login, from its link to its end", (test) =>
    Effect.gen(function* () {
      if (executable === undefined) return test.skip("there is no Chromium")
      const key = "the-key-that-alice-holds"
      const provider = yield* startStubProvider({}, {}, { api_keys: [{ subject: "alice", key }] })
      const { url: link = "" } = yield* provider.call("ping", { authorization: `Bearer ${key}` })
      const page = yield* openPage(executable)
      const refused = policyViolations(page)
      yield* go(page, link)
      yield* assertAccessible(page, "the page of a link")
      yield* Effect.promise(() => page.getByRole("button", { name: "I asked for this: go on" }).click())
      yield* Effect.promise(() => page.getByRole("heading", { name: "Logged in" }).waitFor())
      yield* assertAccessible(page, "the end of a login")
      yield* go(page, link)
      yield* Effect.promise(() => page.getByRole("heading", { name: "No login here" }).waitFor())
      yield* assertAccessible(page, "an error")
      assert.deepStrictEqual(refused, [])
    })
  )

  it.live("a style other than that of the pages is refused", (test) =>
    Effect.gen(function* () {
      if (executable === undefined) return test.skip("there is no Chromium")
      const good = mePage(fullView, paths)
      const { at } = yield* servePages({
        "/changed": { ...good, html: good.html.replace("<style>", "<style>p { color: red }") },
        "/attribute": { ...good, html: good.html.replace("<p>", '<p style="color: red">') }
      })
      const page = yield* openPage(executable)
      const refused = policyViolations(page)
      yield* go(page, at("/changed"))
      assert.lengthOf(refused, 1)
      yield* go(page, at("/attribute"))
      assert.lengthOf(refused, 2)
    })
  )

  it.live(
    "the Tab key reaches each control in the order of the page, and a person sees where it is",
    (test) =>
      Effect.gen(function* () {
        if (executable === undefined) return test.skip("there is no Chromium")
        const { at } = yield* servePages(allPages)
        const page = yield* openPage(executable, { viewport: { width: 640, height: 400 } })
        const walk = (path: string, count: number) =>
          Effect.promise(async () => {
            await page.goto(at(path))
            const stops: Array<unknown> = []
            while (stops.length < count) {
              await page.keyboard.press("Tab")
              stops.push(await page.evaluate(focused))
            }
            return stops
          })
        const names = [
          "Everyone’s connections",
          "Log out",
          "Connect again github",
          "Disconnect github",
          "Connect again calendar",
          "Disconnect calendar",
          "Connect again tickets",
          "Disconnect tickets",
          "A client that calls itself “Visual Studio Code” asked for access",
          "A client that gave no name asked for access",
          "Connect documents",
          "Connect mail",
          "Disconnect mail"
        ]
        assert.deepStrictEqual(
          yield* walk("/full", names.length),
          names.map((name) => [name, true, true])
        )
        const controls = page.locator("a, button")
        assert.strictEqual(yield* Effect.promise(() => controls.count()), names.length)
        const [back, table] = yield* walk("/everyone", 2)
        assert.deepStrictEqual(back, ["Your connections", true, true])
        assert.strictEqual(yield* Effect.promise(() => page.locator(".scroll:focus").count()), 1)
        assert.isTrue(Array.isArray(table) && table[1])
      })
  )

  it.live("a person without JavaScript and mouse sends a form", (test) =>
    Effect.gen(function* () {
      if (executable === undefined) return test.skip("there is no Chromium")
      const { at, forms } = yield* servePages({ "/me": mePage(personView(), paths) })
      const page = yield* openPage(executable, { javaScriptEnabled: false })
      yield* Effect.promise(async () => {
        await page.goto(at("/me"))
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.waitForURL(at("/sent"))
      })
      const fields = { server: "files", form_token: "a-form-token" }
      assert.deepStrictEqual(forms, [{ path: "/me/connect", fields }])
    })
  )

  it.live("a person who wants no motion can click, and a server's name comes back as it is", (test) =>
    Effect.gen(function* () {
      if (executable === undefined) return test.skip("there is no Chromium")
      const serverName = `a "name" of <two> & more \u202E words 🏴\u{E0067}\u{E0062}\u{E007F}`
      const servers = [serverView({ serverName, grant: { scopes: [], issuedAt: now } })]
      const { at, forms } = yield* servePages({ "/me": mePage(personView({ servers }), paths) })
      const page = yield* openPage(executable, { javaScriptEnabled: false, reducedMotion: "reduce" })
      yield* Effect.promise(async () => {
        await page.goto(at("/me"))
        await page.getByRole("button", { name: `Disconnect a "name" of <two>` }).click()
        await page.waitForURL(at("/sent"))
      })
      const fields = { server: serverName, form_token: "a-form-token" }
      assert.deepStrictEqual(forms, [{ path: "/me/disconnect", fields }])
    })
  )

  it.live(
    "a button takes no click in the first 800 milliseconds, whatever a person wants of motion",
    (test) =>
      Effect.gen(function* () {
        if (executable === undefined) return test.skip("there is no Chromium")
        const { at } = yield* servePages({ "/me": mePage(personView(), paths) })
        const page = yield* openPage(executable, { reducedMotion: "reduce" })
        yield* go(page, at("/me"))
        const takesClicks = yield* Effect.promise(() =>
          page.evaluate<unknown>(`(() => {
          const button = document.querySelector("form[action='/me/connect'] button")
          const [animation] = button.getAnimations()
          animation.pause()
          return [0, 799, 800].map((time) => {
            animation.currentTime = time
            return getComputedStyle(button).pointerEvents
          })
        })()`)
        )
        assert.deepStrictEqual(takesClicks, ["none", "none", "auto"])
      })
  )

  it.live("a form that somebody changed leads to no other site", (test) =>
    Effect.gen(function* () {
      if (executable === undefined) return test.skip("there is no Chromium")
      const other = yield* servePages({})
      const good = mePage(personView(), paths)
      const html = good.html.replace('action="/me/connect"', `action="${other.at("/steal")}"`)
      const { at } = yield* servePages({ "/me": { ...good, html } })
      const page = yield* openPage(executable)
      const refused = policyViolations(page)
      yield* go(page, at("/me"))
      yield* Effect.promise(async () => {
        const said = page.waitForEvent("console")
        await page.getByRole("button", { name: "Connect files" }).focus()
        await page.keyboard.press("Enter")
        await said
      })
      assert.match(refused.join(), /form-action 'self'/)
      assert.isEmpty(other.forms)
    })
  )
})
