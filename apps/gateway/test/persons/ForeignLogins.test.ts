import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestLayer } from "../config/configFile.ts"
import { startCompanyPeople } from "./CompanyPeople.ts"

const isLoginCallback = ({ pathname }: URL) => pathname === "/me/login/callback"

const cookieOf = (header: string | undefined, name: string) =>
  new RegExp(`(?:^|; )${name}=([^;]*)`).exec(header ?? "")?.[1] ?? ""

describe("the login of a browser at the company", () => {
  layer(TestLayer)((it) => {
    it.effect("the address of somebody else's login logs nobody in, before it is used and after", () =>
      Effect.gen(function* () {
        const { browser, company, publicUrl } = yield* startCompanyPeople()
        const mallory = browser()
        const { url: callback } = yield* mallory.goAs("mallory", `${publicUrl}/me/login`, isLoginCallback)
        const assertRefused = (ada: ReturnType<typeof browser>) =>
          Effect.gen(function* () {
            const refused = yield* ada.ask(callback)
            assert.strictEqual(refused.status, 403)
            assert.isEmpty(refused.headers.getSetCookie())
          })
        yield* assertRefused(browser())
        const onTheWay = browser()
        yield* onTheWay.ask(`${publicUrl}/me/login`)
        yield* assertRefused(onTheWay)
        assert.lengthOf(yield* company.tokenRequests, 0)
        // Her own browser still can, once.
        assert.strictEqual((yield* mallory.ask(callback)).location, `${publicUrl}/me`)
        assert.strictEqual((yield* mallory.ask(callback)).status, 403)
        yield* assertRefused(browser())
        assert.lengthOf(yield* company.tokenRequests, 1)
      })
    )

    it.effect("a session is new after each login, and the one before has ended", () =>
      Effect.gen(function* () {
        const { browser, publicUrl } = yield* startCompanyPeople()
        const ada = browser()
        const planted = "p".repeat(43)
        ada.cookies.take(
          publicUrl,
          new Response("", { headers: { "set-cookie": `secure_mcp_session=${planted}` } })
        )
        const secretOf = () => cookieOf(ada.cookies.header(publicUrl)["cookie"], "secure_mcp_session")
        yield* ada.openMe("ada")
        const first = secretOf()
        assert.notStrictEqual(first, planted)
        yield* ada.openMe("ada")
        assert.notStrictEqual(secretOf(), first)
        for (const secret of [planted, first]) {
          const { status } = yield* browser().ask(`${publicUrl}/me`, {
            headers: { cookie: `secure_mcp_session=${secret}` }
          })
          assert.strictEqual(status, 303)
        }
      })
    )

    it.effect("a login leads on to pages of the gateway only", () =>
      Effect.gen(function* () {
        const { browser, publicUrl } = yield* startCompanyPeople()
        const link = "l".repeat(43)
        const wishes: ReadonlyArray<readonly [string, string]> = [
          [link, `/me/links/${link}`],
          ["everyone", "/me/everyone"],
          ["https://attacker.example.com", "/me"],
          ["//attacker.example.com", "/me"],
          ["/\\attacker.example.com", "/me"],
          ["../../servers/wiki/mcp", "/me"],
          [`${link}/..`, "/me"],
          [`${link}\n`, "/me"],
          [`${"l".repeat(40)}%2f`, "/me"],
          ["constructor", "/me"],
          ["login", "/me"]
        ]
        for (const [to, expected] of wishes) {
          const ada = browser()
          const begin = `${publicUrl}/me/login?${new URLSearchParams({ to, at: "7" })}`
          const { url } = yield* ada.goAs("ada", begin, isLoginCallback)
          assert.strictEqual((yield* ada.ask(url)).location, publicUrl + expected, JSON.stringify(to))
        }
        // The same where the browser itself has changed its cookie.
        for (const to of ["https://attacker.example.com", "../..", ""]) {
          const ada = browser()
          const { url } = yield* ada.goAs("ada", `${publicUrl}/me/login`, isLoginCallback)
          const cookie = ada.cookies.header(publicUrl)["cookie"] ?? ""
          const changed = cookie.replace("0.-.me.", `0.-.${to}.`)
          assert.notStrictEqual(changed, cookie)
          const answer = yield* ada.ask(url, { headers: { cookie: changed } })
          assert.deepStrictEqual([answer.status, answer.location], [403, null], to)
        }
      })
    )

    it.effect("cookies that are none change nothing, and no cookie is an error of the gateway", () =>
      Effect.gen(function* () {
        const { browser, publicUrl } = yield* startCompanyPeople()
        const ada = browser()
        yield* ada.openMe("ada")
        const { cookie = "" } = ada.cookies.header(publicUrl)
        const statusOf = (path: string, header: string) =>
          Effect.map(browser().ask(publicUrl + path, { headers: { cookie: header } }), ({ status }) => status)
        assert.strictEqual(yield* statusOf("/me", cookie), 200)
        const noSession = [
          `secure_mcp_session=x; ${cookie}`,
          "secure_mcp_session=%E0%A4%A",
          "secure_mcp_session",
          "__proto__=x; constructor=y; secure_mcp_session=",
          `secure_mcp_session=${"a".repeat(4000)}`,
          `__Host-secure_mcp_session=${cookieOf(cookie, "secure_mcp_session")}`
        ]
        for (const header of noSession) assert.strictEqual(yield* statusOf("/me", header), 303, header)
        const noLogin = [
          "0",
          "0.-.me",
          `999.-.me.${"s".repeat(43)}`,
          `-1.-.me.${"s".repeat(43)}`,
          "....",
          `1e0.none.me.${"s".repeat(43)}`
        ]
        for (const value of noLogin)
          assert.strictEqual(
            yield* statusOf("/me/login/callback?code=a&state=b", `secure_mcp_company_login_b=${value}`),
            403,
            value
          )
      })
    )
  })
})
