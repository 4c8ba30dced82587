import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestLayer } from "../config/configFile.ts"
import { formTokenOf, startCompanyPeople } from "./CompanyPeople.ts"

const forms = ["/me/connect", "/me/disconnect", "/me/logout"]

/** Ada is connected to the server, and has a page of hers open. */
const startAda = Effect.gen(function* () {
  const people = yield* startCompanyPeople()
  const { link = "" } = yield* people.call(yield* people.colleague("ada"))
  const ada = people.browser()
  yield* ada.goAs("ada", link)
  const page = yield* ada.ask(`${people.publicUrl}/me`)
  assert.include(page.text, "Disconnect")
  const own = formTokenOf(page.text)
  const post = (path: string, init: RequestInit) =>
    ada.ask(`${people.publicUrl}${path}`, { method: "POST", ...init })
  /** She is still logged in, and still connected. */
  const assertUntouched = Effect.gen(function* () {
    const { status, text } = yield* ada.ask(`${people.publicUrl}/me`)
    assert.strictEqual(status, 200)
    assert.include(text, "Disconnect")
    assert.notInclude(text, "Waiting for your login")
  })
  return { ...people, ada, own, page, post, assertUntouched }
})

describe("a form that no page of the person has sent", () => {
  layer(TestLayer)((it) => {
    it.effect("a form changes nothing without the token of this session", () =>
      Effect.gen(function* () {
        const { assertUntouched, browser, own, post } = yield* startAda
        const mallory = browser()
        const hers = formTokenOf((yield* mallory.openMe("mallory")).text)
        assert.notStrictEqual(hers, own)
        const asForm = (fields: ReadonlyArray<readonly [string, string]>) => {
          const body = new URLSearchParams({ server: "wiki" })
          for (const [name, value] of fields) body.append(name, value)
          return { body }
        }
        const multipart = new FormData()
        multipart.set("server", "wiki")
        multipart.set("form_token", own)
        const attempts: Readonly<Record<string, RequestInit>> = {
          "no token": asForm([]),
          "an empty token": asForm([["form_token", ""]]),
          "the token of another session": asForm([["form_token", hers]]),
          "another token first": asForm([
            ["form_token", hers],
            ["form_token", own]
          ]),
          "a token of another length": asForm([["form_token", `${own}A`]]),
          JSON: {
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ server: "wiki", form_token: own })
          },
          "another kind of form": { body: multipart },
          "no body": {}
        }
        for (const [name, init] of Object.entries(attempts))
          for (const path of forms)
            assert.strictEqual((yield* post(path, init)).status, 403, `${name}: ${path}`)
        yield* assertUntouched
      })
    )

    it.effect("a browser that says that another page sent the form is believed, even with the token", () =>
      Effect.gen(function* () {
        const { assertUntouched, own, post } = yield* startAda
        for (const site of ["cross-site", "same-site", "none", "same-origin, cross-site", "Same-Origin"])
          for (const path of forms) {
            const { status } = yield* post(path, {
              headers: { "sec-fetch-site": site },
              body: new URLSearchParams({ server: "wiki", form_token: own })
            })
            assert.strictEqual(status, 403, `${site}: ${path}`)
          }
        yield* assertUntouched
      })
    )

    it.effect("only POST changes something, and other methods get no cookie", () =>
      Effect.gen(function* () {
        const { ada, assertUntouched, own, publicUrl } = yield* startAda
        const query = new URLSearchParams({ server: "wiki", form_token: own })
        for (const path of forms) {
          assert.strictEqual((yield* ada.ask(`${publicUrl}${path}?${query}`)).status, 404, path)
          for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS"]) {
            const { headers, status } = yield* ada.ask(`${publicUrl}${path}?${query}`, { method })
            assert.strictEqual(status, 405, `${method} ${path}`)
            assert.isEmpty(headers.getSetCookie())
          }
        }
        for (const path of [
          "/me",
          "/me/login",
          "/me/login/callback?code=a&state=b",
          "/me/callback?code=a&state=b"
        ]) {
          const { headers, location, text } = yield* ada.ask(`${publicUrl}${path}`, { method: "HEAD" })
          assert.deepStrictEqual([headers.getSetCookie(), location, text], [[], null, ""], path)
        }
        yield* assertUntouched
      })
    )

    it.effect("a form that is too long is refused, and so is a body in a coding that nobody knows", () =>
      Effect.gen(function* () {
        const { assertUntouched, own, post } = yield* startAda
        const long = new URLSearchParams({ form_token: own, server: "w".repeat(40_000) })
        assert.strictEqual((yield* post("/me/disconnect", { body: long })).status, 413)
        yield* assertUntouched
      })
    )

    it.effect("what a form token is for: the same forms with it, from the page itself", () =>
      Effect.gen(function* () {
        const { ada, page, publicUrl } = yield* startAda
        const headers = { "sec-fetch-site": "same-origin" }
        const connected = yield* ada.send("/me/connect", page.text, { server: "wiki" }, headers)
        assert.isTrue(connected.location?.startsWith(`${publicUrl}/me/links/`))
        const disconnected = yield* ada.send("/me/disconnect", page.text, { server: "wiki" }, headers)
        assert.strictEqual(disconnected.location, `${publicUrl}/me`)
        assert.notInclude((yield* ada.ask(`${publicUrl}/me`)).text, "Disconnect")
        const { cookie = "" } = ada.cookies.header(publicUrl)
        assert.strictEqual((yield* ada.send("/me/logout", page.text, {}, headers)).status, 200)
        // What was taken from the browser before leads to nobody.
        const stolen = yield* ada.ask(`${publicUrl}/me`, { headers: { cookie } })
        assert.strictEqual(stolen.status, 303)
        // Chromium would not follow a redirect to the company after a form: `form-action` holds for it, too.
        for (const path of forms) {
          const { location, status, text } = yield* ada.send(path, page.text, { server: "wiki" }, headers)
          assert.deepStrictEqual([status, location], [403, null], path)
          assert.include(text, `href="${publicUrl}/me/login?prompt=none"`)
        }
      })
    )
  })
})
