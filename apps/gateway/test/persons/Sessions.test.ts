import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { TestLayer } from "../config/configFile.ts"
import { companyClient, startCompanyPeople } from "./CompanyPeople.ts"

describe("the session of a browser", () => {
  layer(TestLayer)((it) => {
    it.effect("after an hour the company is asked again, and nobody has to do anything", () =>
      Effect.gen(function* () {
        const { browser, publicUrl } = yield* startCompanyPeople({ login: companyClient })
        const { ask, openMe } = browser()
        yield* openMe("ada")
        yield* TestClock.adjust("59 minutes")
        assert.strictEqual((yield* ask(`${publicUrl}/me`)).status, 200)
        yield* TestClock.adjust("1 minute")
        let step = yield* ask(`${publicUrl}/me`)
        const pages: Array<string> = []
        for (let redirects = 0; step.location !== null && redirects < 10; redirects += 1) {
          const next = new URL(step.location, pages.at(-1) ?? publicUrl).href
          pages.push(next)
          step = yield* ask(next)
        }
        // Straight through the company, without a form.
        assert.strictEqual(step.status, 200, pages.join("\n"))
        assert.include(step.text, "ada")
        assert.isTrue(pages.some((page) => page.includes("prompt=none")))
        assert.isFalse(pages.some((page) => page.includes("/interaction/")))
      })
    )

    it.effect(
      "a login that comes back after the session has ended still waits, and goes on after another login",
      () =>
        Effect.gen(function* () {
          const { browser, call, colleague } = yield* startCompanyPeople()
          const ada = yield* colleague("ada")
          const { ask, goAs, openMe } = browser()
          yield* openMe("ada")
          yield* TestClock.adjust("52 minutes")
          const { link = "" } = yield* call(ada)
          const callback = yield* goAs("ada", link, ({ pathname }) => pathname === "/me/callback")
          // The ID tokens of the company live an hour, too, on its own clock.
          yield* TestClock.adjust("8 minutes")
          const refused = yield* ask(callback.url)
          assert.strictEqual(refused.status, 403)
          assert.include(refused.text, "still waits")
          yield* openMe("ada")
          assert.include((yield* ask(callback.url)).text, "Logged in")
        })
    )

    it.effect("after a logout the cookie is worth nothing, and the person is asked who they are", () =>
      Effect.gen(function* () {
        const { browser, publicUrl } = yield* startCompanyPeople()
        const { ask, cookies, goAs, openMe, send } = browser()
        const page = yield* openMe("ada")
        const stolen = cookies.header(publicUrl)
        const out = yield* send("/me/logout", page.text)
        assert.strictEqual(out.status, 200)
        assert.include(out.text, "logged out")
        assert.strictEqual((yield* ask(`${publicUrl}/me`, { headers: stolen })).status, 303)
        const [again = ""] = /http[^"]*\/me\/login[^"]*/.exec(out.text.replaceAll("&#38;", "&")) ?? []
        // The company asks who it is, although it knows Ada still.
        const form = yield* goAs("ada", again, ({ pathname }) => pathname.startsWith("/interaction/"))
        assert.include((yield* ask(form.url)).text, 'name="login"')
        yield* goAs("ada", again, ({ pathname }) => pathname === "/me")
        assert.include((yield* ask(`${publicUrl}/me`)).text, "ada")
      })
    )

    it.effect("logins in several tabs go on beside each other, and a browser keeps few cookies of them", () =>
      Effect.gen(function* () {
        const { browser, publicUrl } = yield* startCompanyPeople({ login: companyClient })
        const { ask, cookies, goAs } = browser()
        const atCompany = ({ pathname }: URL) => pathname.startsWith("/interaction/")
        const [first, second] = [
          yield* goAs("ada", `${publicUrl}/me/login`, atCompany),
          yield* goAs("ada", `${publicUrl}/me/login`, atCompany)
        ]
        for (const { url } of [second, first]) {
          yield* goAs("ada", url, ({ pathname }) => pathname === "/me")
          assert.strictEqual((yield* ask(`${publicUrl}/me`)).status, 200)
        }
        for (let tab = 0; tab < 20; tab += 1) yield* ask(`${publicUrl}/me/login`)
        const kept = (cookies.header(publicUrl)["cookie"] ?? "").split("secure_mcp_company_login_").length - 1
        assert.isAtMost(kept, 9)
      })
    )

    it.effect("the client that is configured is the one that logs people in", () =>
      Effect.gen(function* () {
        const { browser, company } = yield* startCompanyPeople({ login: companyClient })
        assert.strictEqual((yield* browser().openMe("ada")).status, 200)
        const asked = yield* company.tokenRequests
        assert.lengthOf(asked, 1)
        assert.match(asked[0]?.headers.authorization ?? "", /^Basic /)
      })
    )

    it.effect("people whose tokens the company is asked about log in as well", () =>
      Effect.gen(function* () {
        const { browser, company } = yield* startCompanyPeople({
          issuers: (issuer) => ({ introspection: [{ issuer, ...companyClient, login: companyClient }] })
        })
        const page = yield* browser().openMe("ada")
        assert.strictEqual(page.status, 200)
        assert.include(page.text, "ada")
        assert.include(page.text, company.issuer)
      })
    )

    it.effect("without a login of browsers links are as for people with an API key, and /me says so", () =>
      Effect.gen(function* () {
        const { browser, call, colleague, publicUrl } = yield* startCompanyPeople({ login: false })
        const ada = yield* colleague("ada")
        const { link = "" } = yield* call(ada)
        assert.include(link, "/login/")
        const { ask, goAs } = browser()
        assert.include((yield* goAs("ada", link)).text, "Logged in")
        const end = yield* goAs("ada", `${publicUrl}/me`)
        assert.strictEqual(end.status, 404)
        assert.include(end.text, "login.client_id")
        assert.strictEqual((yield* ask(`${publicUrl}/me/links/${"a".repeat(43)}`)).status, 404)
      })
    )

    it.effect("a company that is away is said to be, and asked again later", () =>
      Effect.gen(function* () {
        const { browser, company, gateway, publicUrl } = yield* startCompanyPeople({ login: companyClient })
        yield* company.setOutage(true)
        const away = browser()
        const end = yield* away.goAs("ada", `${publicUrl}/me/login`)
        assert.strictEqual(end.status, 503)
        assert.include(end.text, "cannot be reached")
        assert.include(gateway.logs.join(), "cannot log in at the company")
        yield* company.setOutage(false)
        assert.strictEqual((yield* browser().openMe("ada")).status, 200)
      })
    )
  })
})
