import { assert, describe, it } from "@effect/vitest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { type BrowserPage, pagePolicy } from "../../src/login/BrowserPage.ts"
import type { BrowserCookies } from "../../src/login/LoginCookie.ts"
import type { RequestedLogin } from "../../src/login/LoginLink.ts"
import { makeLoginLinks } from "../../src/login/LoginLinks.ts"
import { makeLoginPage } from "../../src/login/LoginPage.ts"

const login: RequestedLogin = {
  serverName: "files",
  subject: "alice",
  authorizationUrl: "https://as.example:8443/authorize?state=s-1",
  redirectUri: "https://gateway.example/oauth/callback"
}

/** The login of somebody else, or another one. */
const loginOf = (state: string, fields: Partial<RequestedLogin> = {}): RequestedLogin => ({
  ...login,
  authorizationUrl: `https://as.example:8443/authorize?state=${state}`,
  ...fields
})

const makePages = Effect.gen(function* () {
  const links = yield* makeLoginLinks(() => 3)
  const page = yield* makeLoginPage(links)
  const idOf = (url: string) => new URL(url).pathname.replace("/login/", "")
  const open = (url: string, cookies: BrowserCookies = {}) =>
    page({ id: idOf(url), method: "GET", cookies, fetchSite: undefined, parameters: new URLSearchParams() })
  const confirm = (
    url: string,
    cookies: BrowserCookies,
    parameters: URLSearchParams,
    fetchSite: string | undefined = "same-origin"
  ) => page({ id: idOf(url), method: "POST", cookies, fetchSite, parameters })
  return { links, open, confirm }
}).pipe(Effect.provide(SecureRandom.layerWebCrypto))

const cookiesOf = ({ headers }: BrowserPage): ReadonlyArray<string> => [headers?.["set-cookie"] ?? []].flat()

/** What the browser sends after a page. */
const cookieOf = (page: BrowserPage) => {
  const [, name = "", value = ""] = /^([^=]*)=([^;]*)/.exec(cookiesOf(page)[0] ?? "") ?? []
  return { [name]: value }
}

/** What the form of a page has in it. */
const formOf = ({ html }: BrowserPage) =>
  new URL(/action="([^"]*)"/.exec(html)?.[1] ?? "", "https://gateway.example").searchParams

/** The words that a person reads. */
const wordsOf = ({ html }: BrowserPage) =>
  html
    .replace(/<(?:style|title)>.*?<\/(?:style|title)>/gs, "")
    .replaceAll(/<[^>]*>/g, "")
    .replaceAll(/\s+/g, " ")
    .trim()

const askAgain = "Ask your MCP client for the login again, and open the link it shows then."

describe("the page of a login link", () => {
  it.effect("it says who asked for what, where the login is, and when not to go on", () =>
    Effect.gen(function* () {
      const { links, open } = yield* makePages
      const page = yield* open(yield* links.add(login))
      assert.strictEqual(page.status, 200)
      assert.include(page.html, "<title>Access to files</title>")
      assert.strictEqual(
        wordsOf(page),
        "Access to files alice asked this gateway for access to the server files. " +
          "If you go on and log in at as.example:8443, alice can use files with your account. " +
          "Go on only if you asked for this yourself. If somebody sent you this link, close this window. " +
          "I asked for this: go on"
      )
      assert.include(page.html, "<strong><bdi>alice</bdi></strong>")
      assert.include(page.html, '<button type="submit" class="main-action guarded">')
      assert.include(page.html, ".guarded { pointer-events: none; animation: ready 0s .8s forwards }")
      assert.strictEqual(
        page.headers?.["content-security-policy"],
        `${pagePolicy()}; form-action 'self' https: https://as.example:8443`
      )
    })
  )

  it.effect("it says that the gateway does not know who asked, where it has no API keys", () =>
    Effect.gen(function* () {
      const { links, open } = yield* makePages
      const page = yield* open(yield* links.add({ ...login, subject: undefined }))
      assert.include(
        wordsOf(page),
        "Somebody asked this gateway for access to the server files. " +
          "The gateway does not know who, because it has no API keys. " +
          "If you go on and log in at as.example:8443, whoever asked can use files with your account."
      )
    })
  )

  it.effect("its form leads on in the browser that opened it, and only in that", () =>
    Effect.gen(function* () {
      const { confirm, links, open } = yield* makePages
      const link = yield* links.add(login)
      const page = yield* open(link)
      const [cookie, form] = [cookieOf(page), formOf(page)]
      const again = yield* open(link, cookie)
      assert.deepStrictEqual(cookieOf(again), cookie, "the cookie of the browser stays")
      const forged = { [Object.keys(cookie)[0] ?? ""]: "guessed" }
      assert.notDeepEqual(cookieOf(yield* open(link, forged)), forged, "one that we did not make does not")
      const refused = [
        [
          yield* confirm(link, {}, form),
          "No cookie This browser did not send the cookie of the page. Allow cookies for this address, and open the link again."
        ],
        [yield* confirm(link, cookie, new URLSearchParams()), notOurs],
        [yield* confirm(link, cookie, form, "same-site"), notOurs],
        [yield* confirm(link, cookie, form, "cross-site"), notOurs],
        [yield* confirm(link, cookie, formOf(yield* open(link))), notOurs]
      ] as const
      for (const [answer, words] of refused) {
        assert.strictEqual(answer.status, 403)
        assert.strictEqual(wordsOf(answer), words)
      }
      const gone = yield* confirm(link, cookie, form)
      assert.deepStrictEqual([gone.status, gone.headers], [303, { location: login.authorizationUrl }])
      assert.strictEqual(wordsOf(gone), "Log in The browser goes on to the login.")
      const elsewhere = yield* open(link)
      assert.strictEqual(elsewhere.status, 403)
      assert.strictEqual(
        wordsOf(elsewhere),
        `Link used in another browser A link is good for one browser, and another one has gone on with this. ${askAgain}`
      )
      assert.strictEqual((yield* open(link, cookie)).status, 200)
      assert.strictEqual((yield* confirm(link, cookie, form, undefined)).status, 303, "browsers of before")
    })
  )

  const notOurs =
    "Not from our page Another page made this browser go on. If you asked for the login yourself, open the link of the gateway again."

  it.effect(
    "it is gone after ten minutes, after the end of the login, and for an address that never was one",
    () =>
      Effect.gen(function* () {
        const { links, open } = yield* makePages
        const link = yield* links.add(login)
        const other = yield* links.add(loginOf("s-2"))
        yield* links.end("s-2")
        yield* TestClock.adjust("599999 millis")
        assert.strictEqual((yield* open(link)).status, 200)
        for (const url of [other, "https://gateway.example/login/none"]) {
          const page = yield* open(url)
          assert.strictEqual(page.status, 404)
          assert.strictEqual(
            wordsOf(page),
            `No login here This link has been used, is older than ten minutes, or never was one. ${askAgain}`
          )
        }
        yield* TestClock.adjust("1 milli")
        assert.strictEqual((yield* open(link)).status, 404)
      })
  )

  it.effect("a browser with more than eight cookies of other logins loses those that nothing needs", () =>
    Effect.gen(function* () {
      const { confirm, links, open } = yield* makePages
      const needed = yield* links.add(loginOf("needed"))
      const page = yield* open(needed)
      yield* confirm(needed, cookieOf(page), formOf(page))
      const link = yield* links.add(login)
      const own = cookieOf(yield* open(link))
      const others = (count: number) =>
        Object.fromEntries(
          Array.from({ length: count }, (_, n) => [
            `__Host-secure_mcp_login_${String(n).padStart(16, "0")}`,
            "x"
          ])
        )
      const foreign = {
        session: "x",
        secure_mcp_login_0000000000000000: "x",
        "a__Host-secure_mcp_login_": "x"
      }
      const few = yield* open(link, { ...own, ...foreign, ...others(8) })
      assert.lengthOf(cookiesOf(few), 1)
      const many = yield* open(link, { ...own, ...foreign, ...cookieOf(page), ...others(8) })
      assert.deepStrictEqual(
        cookiesOf(many).slice(1),
        Object.keys(others(8)).map((name) => `${name}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax`)
      )
      assert.match(
        cookiesOf(many)[0] ?? "",
        /^__Host-secure_mcp_login_[\w-]{16}=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/
      )
    })
  )
})

describe("the links of logins", () => {
  it.effect("the same login has the same link until a browser has confirmed it", () =>
    Effect.gen(function* () {
      const { confirm, links, open } = yield* makePages
      const link = yield* links.add(login)
      assert.match(link, /^https:\/\/gateway\.example\/login\/[\w-]{43}$/)
      assert.strictEqual(yield* links.add(login), link)
      const page = yield* open(link)
      yield* confirm(link, cookieOf(page), formOf(page))
      assert.notStrictEqual(yield* links.add(login), link)
      assert.strictEqual((yield* open(link, cookieOf(page))).status, 200, "the first one stays")
    })
  )

  const others = [
    ["of another person", { subject: "bob" }],
    ["to another server", { serverName: "mail" }],
    ["with another address", { authorizationUrl: "https://as.example:8443/authorize?state=s-1&scope=a" }]
  ] as const
  it.effect.each(others)("a login %s with the same state ends the link before it", ([, fields]) =>
    Effect.gen(function* () {
      const { links, open } = yield* makePages
      const link = yield* links.add(login)
      yield* links.add({ ...login, ...fields })
      assert.strictEqual((yield* open(link)).status, 404)
    })
  )

  it.effect(
    "an eleventh login of one person to one server evicts that person's oldest, and nobody else's",
    () =>
      Effect.gen(function* () {
        const { links, open } = yield* makePages
        const bystanders = [
          yield* links.add(loginOf("bob", { subject: "bob" })),
          yield* links.add(loginOf("mail", { serverName: "mail" }))
        ]
        const own = yield* Effect.forEach(Array.from({ length: 10 }), (_, n) =>
          links.add(loginOf(`own-${n}`))
        )
        const statusOf = (url = "") => Effect.map(open(url), ({ status }) => status)
        assert.strictEqual(yield* statusOf(own[0]), 200)
        yield* links.add(loginOf("eleventh"))
        assert.strictEqual(yield* statusOf(own[0]), 404)
        for (const url of [...bystanders, ...own.slice(1)]) assert.strictEqual(yield* statusOf(url), 200)
      })
  )

  it.effect("the oldest of more than a thousand links is evicted", () =>
    Effect.gen(function* () {
      const { links, open } = yield* makePages
      const all = yield* Effect.forEach(Array.from({ length: 1000 }), (_, n) =>
        links.add(loginOf(`of-${n}`, { subject: `person ${n}` }))
      )
      assert.strictEqual((yield* open(all[0] ?? "")).status, 200)
      yield* links.add(loginOf("more", { subject: "one more" }))
      assert.strictEqual((yield* open(all[0] ?? "")).status, 404)
      assert.strictEqual((yield* open(all[1] ?? "")).status, 200)
    })
  )

  it.effect(
    "a fourth person is told to wait where three logins may wait, and a waiting one may ask again",
    () =>
      Effect.gen(function* () {
        const { links } = yield* makePages
        for (const subject of ["a", "b"]) yield* links.add(loginOf(subject, { subject }))
        yield* TestClock.adjust("575 seconds")
        yield* links.checkRoom({ serverName: "files", subject: "c" })
        yield* links.add(loginOf("c", { subject: "c" }))
        yield* links.add(loginOf("mail", { serverName: "mail", subject: "d" }))
        const refusal = yield* Effect.flip(links.checkRoom({ serverName: "files", subject: "d" }))
        assert.deepInclude(refusal, { serverName: "files", limit: 3, retryAfterSeconds: 25 })
        assert.deepInclude(refusal, { status: 429, reason: "TooManyRequests" })
        assert.strictEqual(
          refusal.message,
          '3 logins to "files" wait for people, and more are not allowed (`limits.waiting_logins`). ' +
            "Try again later: each of them ends after ten minutes at the latest"
        )
        yield* links.checkRoom({ serverName: "files", subject: "a" })
        yield* links.checkRoom({ serverName: "mail", subject: "e" })
        yield* links.end("a")
        yield* links.checkRoom({ serverName: "files", subject: "d" })
      })
  )

  it.effect("whoever has to wait long is told to try again after half a minute", () =>
    Effect.gen(function* () {
      const { links } = yield* makePages
      for (const subject of ["a", "b", "c"]) yield* links.add(loginOf(subject, { subject }))
      const refusal = yield* Effect.flip(links.checkRoom({ serverName: "files" }))
      assert.strictEqual(refusal.retryAfterSeconds, 30)
    })
  )
})

describe("a redirect from the authorization server", () => {
  const noLogin =
    "This address belongs to no login that waits, or to one that has ended. Ask your MCP client for the login again"

  it.effect("it counts in the browser that has confirmed the page, and in no other", () =>
    Effect.gen(function* () {
      const { confirm, links, open } = yield* makePages
      const link = yield* links.add(login)
      const page = yield* open(link)
      const [cookie, other] = [cookieOf(page), cookieOf(yield* open(link))]
      const refusal = (cookies: BrowserCookies) => Effect.flip(links.admit("s-1", cookies))
      assert.strictEqual((yield* refusal(cookie)).status, 403, "the page was only opened")
      yield* confirm(link, cookie, formOf(page))
      yield* links.admit("s-1", cookie)
      for (const cookies of [{}, other, { another: Object.values(cookie)[0] }]) {
        const { message, status } = yield* refusal(cookies)
        assert.strictEqual(status, 403)
        assert.strictEqual(
          message,
          "This browser did not begin this login, so it does not count. If you asked for it yourself, open the link of the " +
            "gateway again, in the browser in which you log in, with cookies allowed. If somebody sent you an address, close this window"
        )
      }
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* refusal(cookie)).message, noLogin)
    })
  )

  it.effect("it counts in each browser that has confirmed a link of the same login", () =>
    Effect.gen(function* () {
      const { confirm, links, open } = yield* makePages
      const cookies = yield* Effect.forEach(Array.from({ length: 2 }), () =>
        Effect.gen(function* () {
          const link = yield* links.add(login)
          const page = yield* open(link)
          yield* confirm(link, cookieOf(page), formOf(page))
          return cookieOf(page)
        })
      )
      for (const cookie of cookies) yield* links.admit("s-1", cookie)
    })
  )

  it.effect.each([["unknown"], [null]])("it belongs to no login with the state %j", ([state = null]) =>
    Effect.gen(function* () {
      const { links } = yield* makePages
      yield* links.add(login)
      const { message, status } = yield* Effect.flip(links.admit(state, {}))
      assert.strictEqual(status, 400)
      assert.strictEqual(message, noLogin)
    })
  )
})
