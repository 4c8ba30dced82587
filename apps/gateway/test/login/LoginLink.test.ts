import { assert, describe, it } from "@effect/vitest"
import { freePort } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { BrowserCookies, confirm, visit } from "./Person.ts"
import { startStubProvider } from "./StubProvider.ts"

const people = ["mallory", "alice", "bob"].map((subject) => ({
  subject,
  key: `the-key-that-${subject}-holds`
}))

/** A gateway that knows its callers by their keys. */
const stage = Effect.fnUntraced(function* (oauth: object = {}, settings: object = { api_keys: people }) {
  const provider = yield* startStubProvider(oauth, {}, settings)
  const ask = (subject: string) =>
    provider.call("ping", { authorization: `Bearer the-key-that-${subject}-holds` })
  const linkOf = (subject: string) => Effect.map(ask(subject), ({ url = "" }) => url)
  return { ...provider, ask, linkOf }
})

/** Opens a link; returns the page, its headers, and the address of its form. */
const open = (link: string, headers: Record<string, string> = {}) =>
  Effect.promise(async () => {
    const answer = await fetch(link, { redirect: "manual", headers })
    const text = await answer.text()
    const action = /<form method="post" action="([^"]*)"/.exec(text)?.[1]
    const cookies = answer.headers.getSetCookie()
    return {
      text,
      cookies,
      status: answer.status,
      headers: answer.headers,
      form: new URL(action ?? "/no-form", link).href,
      /** What the browser sends from now on. */
      cookie: cookies.map((cookie) => cookie.split(";")[0]).join("; ")
    }
  })

/** Sends the form of a page. */
const send = (url: string, headers: Record<string, string>) =>
  Effect.promise(async () => {
    const { headers: answered, status } = await fetch(url, { method: "POST", redirect: "manual", headers })
    return { status, location: answered.get("location") }
  })

describe("the link of a login", () => {
  it.effect("a login link shows who asked for which server, and nothing of the authorization request", () =>
    Effect.gen(function* () {
      const { linkOf, stub } = yield* stage()
      const link = yield* linkOf("mallory")
      assert.match(new URL(link).pathname, /^\/login\/[\w-]{43}$/)
      const page = yield* open(link)
      assert.strictEqual(page.status, 200)
      for (const words of [
        "mallory",
        "echo",
        new URL(stub.url).host,
        "Go on only if you asked for this yourself"
      ])
        assert.include(page.text, words)
      for (const words of ["<script", "state=", "code_challenge", "/authorize"])
        assert.notInclude(page.text, words)
      assert.isEmpty(yield* stub.requestsTo("/authorize"))
    })
  )

  it.effect("a login link shows a page that cannot be framed, cached, scripted, or seen in a Referer", () =>
    Effect.gen(function* () {
      const { linkOf } = yield* stage()
      const { headers } = yield* open(yield* linkOf("alice"))
      assert.strictEqual(headers.get("x-frame-options"), "DENY")
      assert.strictEqual(headers.get("cache-control"), "no-store")
      assert.strictEqual(headers.get("referrer-policy"), "no-referrer")
      const policy = headers.get("content-security-policy") ?? ""
      for (const rule of ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"])
        assert.include(policy, rule)
      assert.notInclude(policy, "script-src")
    })
  )

  it.effect("a login link shows a name that looks like HTML as text", () =>
    Effect.gen(function* () {
      const subject = `<img src="x">&'`
      const { linkOf } = yield* stage({}, { api_keys: [{ subject, key: "the-key-that-alice-holds" }] })
      const { text } = yield* open(yield* linkOf("alice"))
      assert.include(text, "&#60;img src=&#34;x&#34;&#62;&#38;&#39;")
      assert.notInclude(text, "<img")
    })
  )

  it.effect(
    "a login link says in words that the gateway does not know who asked, where it has no API keys",
    () =>
      Effect.gen(function* () {
        const { linkOf } = yield* stage({}, {})
        const { text } = yield* open(yield* linkOf("alice"))
        assert.include(text, "Somebody asked this gateway for access")
        assert.include(text, "has no API keys")
      })
  )

  it.effect("a login link sets a cookie that lives ten minutes, for this host and no script", () =>
    Effect.gen(function* () {
      const { linkOf } = yield* stage()
      const { cookies } = yield* open(yield* linkOf("alice"))
      assert.lengthOf(cookies, 1)
      assert.match(
        cookies[0] ?? "",
        /^secure_mcp_login_[\w-]{16}=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/
      )
    })
  )

  it.effect(
    "a login link stands at the origin of an https redirect URI, where the cookie has the prefix __Host-",
    () =>
      Effect.gen(function* () {
        const port = yield* freePort
        const { linkOf, sent, stub } = yield* stage(
          { redirect_uri: "https://gateway.example/sign-in/done" },
          { api_keys: people, callback_port: port }
        )
        const link = new URL(yield* linkOf("alice"))
        assert.strictEqual(link.origin, "https://gateway.example")
        const behindProxy = (url: string) =>
          url.replace("https://gateway.example", `http://127.0.0.1:${port}`)
        const page = yield* open(behindProxy(link.href))
        assert.match(
          page.cookies[0] ?? "",
          /^__Host-secure_mcp_login_[\w-]{16}=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/
        )
        const headers = { cookie: page.cookie }
        const { location } = yield* send(page.form, headers)
        assert.strictEqual(new URL(location ?? "").origin, stub.url)
        const back = yield* Effect.promise(() => fetch(location ?? "", { redirect: "manual" }))
        const callback = behindProxy(back.headers.get("location") ?? "")
        const plainName = { cookie: page.cookie.replace("__Host-", "") }
        assert.strictEqual((yield* visit(callback, { headers: plainName })).status, 403)
        assert.isEmpty(yield* sent("authorization_code"))
        assert.include((yield* visit(callback, { headers })).text, "Logged in")
      })
  )

  it.effect("a login link is good for one browser: after that has gone on, another one is refused", () =>
    Effect.gen(function* () {
      const { linkOf, stub } = yield* stage()
      const link = yield* linkOf("alice")
      const first = yield* open(link)
      const second = yield* open(link)
      assert.strictEqual((yield* send(first.form, { cookie: first.cookie })).status, 303)
      assert.strictEqual((yield* send(second.form, { cookie: second.cookie })).status, 403)
      assert.strictEqual((yield* open(link)).status, 403)
      assert.strictEqual((yield* open(link, { cookie: second.cookie })).status, 403)
      const reloaded = yield* open(link, { cookie: first.cookie })
      assert.strictEqual(reloaded.status, 200)
      const again = yield* send(reloaded.form, { cookie: reloaded.cookie })
      assert.strictEqual(new URL(again.location ?? "").origin, stub.url)
    })
  )

  it.effect("a login link is not used up by a preview or a scanner that opens it", () =>
    Effect.gen(function* () {
      const { linkOf } = yield* stage()
      const link = yield* linkOf("alice")
      const preview = yield* Effect.promise(() => fetch(link, { method: "HEAD" }))
      assert.strictEqual(preview.status, 200)
      assert.isEmpty(preview.headers.getSetCookie())
      yield* open(link)
      assert.strictEqual(yield* linkOf("alice"), link)
      const page = yield* open(link)
      assert.strictEqual((yield* send(page.form, { cookie: page.cookie })).status, 303)
    })
  )

  it.effect("a login link leads on for nothing but the form of its own page", () =>
    Effect.gen(function* () {
      const { linkOf } = yield* stage()
      const link = yield* linkOf("alice")
      const { cookie, form } = yield* open(link)
      const refused = [
        yield* send(form, {}),
        yield* send(form, { cookie: cookie.replace(/=.*/, `=${"A".repeat(43)}`) }),
        yield* send(link, { cookie }),
        yield* send(`${link}?confirm=guessed`, { cookie }),
        yield* send(form, { cookie, "sec-fetch-site": "cross-site" }),
        yield* send(form, { cookie, "sec-fetch-site": "same-site" })
      ]
      for (const answer of refused) assert.deepStrictEqual(answer, { status: 403, location: null })
      assert.strictEqual((yield* send(form, { cookie, "sec-fetch-site": "same-origin" })).status, 303)
    })
  )

  it.effect("a login link leads nowhere after ten minutes, and neither does its redirect", () =>
    Effect.gen(function* () {
      const { callbackOf, linkOf, sent } = yield* stage()
      const link = yield* linkOf("alice")
      const { headers, url } = yield* callbackOf(link)
      yield* TestClock.adjust("599 seconds")
      assert.strictEqual((yield* open(link, headers)).status, 200)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* open(link, headers)).status, 404)
      const late = yield* visit(url, { headers })
      assert.strictEqual(late.status, 400)
      assert.isEmpty(yield* sent("authorization_code"))
    })
  )

  it.effect("a login link leads nowhere after the login, whose end the same browser may look at again", () =>
    Effect.gen(function* () {
      const { callbackOf, linkOf } = yield* stage()
      const link = yield* linkOf("alice")
      const { headers, url } = yield* callbackOf(link)
      assert.include((yield* visit(url, { headers })).text, "Logged in")
      assert.strictEqual((yield* open(link, headers)).status, 404)
      assert.include((yield* visit(url, { headers })).text, "Logged in")
      assert.strictEqual((yield* visit(url)).status, 403)
    })
  )

  it.effect("a login link that nobody was given leads nowhere", () =>
    Effect.gen(function* () {
      const { linkOf } = yield* stage()
      const { origin } = new URL(yield* linkOf("alice"))
      for (const path of ["/login", "/login/", "/login/guessed", "/login/../x"])
        assert.strictEqual((yield* open(origin + path)).status, 404, path)
      assert.strictEqual((yield* send(`${origin}/login/guessed`, {})).status, 404)
      assert.strictEqual((yield* visit(`${origin}/login/guessed`, { method: "DELETE" })).status, 405)
    })
  )

  it.effect(
    "a login link is another one after a browser has gone on, and the login in that browser counts still",
    () =>
      Effect.gen(function* () {
        const { callbackOf, linkOf } = yield* stage()
        const first = yield* linkOf("alice")
        const begun = yield* callbackOf(first)
        const second = yield* linkOf("alice")
        assert.notStrictEqual(second, first)
        assert.strictEqual((yield* open(second)).status, 200)
        assert.include((yield* visit(begun.url, { headers: begun.headers })).text, "Logged in")
        assert.strictEqual((yield* open(second)).status, 404, "the login behind it has ended")
      })
  )

  it.effect("a person who asks again and again has ten links, and takes none of others", () =>
    Effect.gen(function* () {
      const { linkOf } = yield* stage()
      const ofAlice = yield* linkOf("alice")
      const links: Array<string> = []
      for (let count = 0; count < 11; count += 1) {
        links.push(yield* linkOf("mallory"))
        yield* confirm(links.at(-1) ?? "")
      }
      const statuses = yield* Effect.forEach(links, (link) => Effect.map(open(link), ({ status }) => status))
      assert.deepStrictEqual(statuses, [404, ...Array<number>(10).fill(403)])
      assert.strictEqual((yield* open(ofAlice)).status, 200)
    })
  )
})

describe("the redirect of a login", () => {
  it.effect("the redirect of an authorization URL that an attacker sent to a colleague does not count", () =>
    Effect.gen(function* () {
      const { ask, authorizationUrl, linkOf, sent } = yield* stage()
      const attacker = new BrowserCookies()
      const sentOn = yield* authorizationUrl(yield* linkOf("mallory"), attacker)
      // The colleague's browser follows it, and the authorization server, which knows them, sends it back.
      const back = yield* Effect.promise(() => fetch(sentOn, { redirect: "manual" }))
      const callback = back.headers.get("location") ?? ""
      const page = yield* visit(callback)
      assert.strictEqual(page.status, 403)
      assert.include(page.text, "This browser did not begin this login")
      assert.isEmpty(yield* sent("authorization_code"))
      assert.strictEqual((yield* ask("mallory")).reason, "AuthorizationRequired")
    })
  )

  it.effect(
    "the redirect of a login does not count with the cookies of other logins, nor before the page is confirmed",
    () =>
      Effect.gen(function* () {
        const { callbackOf, linkOf, sent } = yield* stage()
        const link = yield* linkOf("alice")
        const own = yield* callbackOf(link)
        const other = yield* callbackOf(yield* linkOf("bob"))
        const unconfirmed = yield* open(yield* linkOf("alice"))
        const [name = ""] = (own.headers["cookie"] ?? "").split("=")
        const [, value = ""] = (other.headers["cookie"] ?? "").split("=")
        for (const cookie of [
          "",
          other.headers["cookie"] ?? "",
          unconfirmed.cookie,
          `${name}=${value}`,
          `${name}=`
        ]) {
          assert.strictEqual((yield* visit(own.url, { headers: { cookie } })).status, 403, cookie)
        }
        assert.isEmpty(yield* sent("authorization_code"))
        assert.include((yield* visit(own.url, { headers: own.headers })).text, "Logged in")
      })
  )

  it.effect("the redirect of a login counts for each of several logins in one browser", () =>
    Effect.gen(function* () {
      const { ask, callbackOf, linkOf } = yield* stage()
      const cookies = new BrowserCookies()
      const ofAlice = yield* callbackOf(yield* linkOf("alice"), cookies)
      const ofBob = yield* callbackOf(yield* linkOf("bob"), cookies)
      for (const { url } of [ofBob, ofAlice])
        assert.include((yield* visit(url, { headers: cookies.header(url) })).text, "Logged in")
      assert.strictEqual((yield* ask("alice")).token, "access-2-1")
      assert.strictEqual((yield* ask("bob")).token, "access-1-1")
    })
  )

  it.effect("the redirect of a login counts in a browser in which somebody has opened many links", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 30 }, (_, index) => ({
        subject: `person-${index}`,
        key: `the-key-that-person-${index}-holds`
      }))
      const { callbackOf, linkOf } = yield* stage({}, { api_keys: [...people, ...many] })
      const cookies = new BrowserCookies()
      const { url } = yield* callbackOf(yield* linkOf("alice"), cookies)
      for (const { subject } of many) {
        const link = yield* linkOf(subject)
        const answer = yield* Effect.promise(() => fetch(link, { headers: cookies.header(link) }))
        cookies.take(link, answer)
      }
      const headers = cookies.header(url)
      assert.isAtMost((headers["cookie"] ?? "").split("; ").length, 10)
      assert.include((yield* visit(url, { headers })).text, "Logged in")
    })
  )

  it.effect("the redirect of a login with a configured `state` counts for the newest login only", () =>
    Effect.gen(function* () {
      const { callbackOf, linkOf, sent } = yield* stage({ state: "a-state-that-is-always-the-same" })
      const ofAlice = yield* callbackOf(yield* linkOf("alice"))
      const ofMallory = yield* linkOf("mallory")
      assert.strictEqual((yield* visit(ofAlice.url, { headers: ofAlice.headers })).status, 403)
      assert.isEmpty(yield* sent("authorization_code"))
      assert.include((yield* open(ofMallory)).text, "mallory")
    })
  )

  it.effect("over limits.waiting_logins nobody else is asked to log in until a login has ended", () =>
    Effect.gen(function* () {
      const { ask, callbackOf, linkOf } = yield* stage(
        {},
        { api_keys: people, limits: { waiting_logins: 2 } }
      )
      yield* linkOf("mallory")
      const link = yield* linkOf("alice")
      const refused = yield* ask("bob")
      assert.deepInclude(refused, { status: 429, reason: "TooManyRequests", url: undefined })
      assert.include(refused.message, "limits.waiting_logins")
      assert.strictEqual(yield* linkOf("alice"), link, "whoever was asked may go on")
      const { headers, url } = yield* callbackOf(link)
      assert.include((yield* visit(url, { headers })).text, "Logged in")
      assert.match(yield* linkOf("bob"), /\/login\//)
      assert.strictEqual((yield* ask("bob")).status, 502)
    })
  )

  it.effect("a login that nobody completes makes room after ten minutes", () =>
    Effect.gen(function* () {
      const { ask, linkOf } = yield* stage({}, { api_keys: people, limits: { waiting_logins: 1 } })
      yield* linkOf("mallory")
      assert.strictEqual((yield* ask("alice")).status, 429)
      yield* TestClock.adjust("10 minutes")
      assert.match(yield* linkOf("alice"), /\/login\//)
    })
  )
})
