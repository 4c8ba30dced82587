import { assert, describe, it } from "@effect/vitest"
import {
  type BrowserPage,
  everyonePage,
  mePage,
  pageHeaders,
  type ServerView,
  textPage
} from "@secure-mcp/gateway-server/internal"
import { createHash } from "node:crypto"
import { everyoneView, fullView, hostile, hostileView, now, personView, serverView } from "./Views.ts"

const atRoot = { prefix: "" }

const pages: Readonly<Record<string, BrowserPage>> = {
  "the page of a person": mePage(fullView, atRoot),
  "the page of a person with hostile names": mePage(hostileView, atRoot),
  "the page of everyone": everyonePage(everyoneView, atRoot),
  "a page of a login": textPage(200, "Logged in")
}

/** The words that a person reads, with the characters that were escaped. */
const wordsOf = (html: string) =>
  html
    .replace(/<style>.*<\/style>/s, "")
    .replaceAll(/<\/(?:dt|dd|p|h\d|li|th|td|button)>/g, "\n")
    .replaceAll(/<[^>]*>/g, "")
    .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
    .replaceAll(/\s*\n\s*/g, "\n")
    .trim()
    .split("\n")

/** What the section of a server says. */
const sectionOf = (fields: Partial<ServerView>) => {
  const { html } = mePage(personView({ servers: [serverView(fields)] }), atRoot)
  return wordsOf(/<section>.*<\/section>/s.exec(html)?.[0] ?? "")
}

const formsOf = (html: string) =>
  [...html.matchAll(/<form method="post" action="([^"]*)">(.*?)<\/form>/gs)].map(
    ([, action, inside = ""]) => ({
      action,
      fields: Object.fromEntries(
        [...inside.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(
          ([, name = "", value]) => [name, value]
        )
      ),
      button: wordsOf(inside)[0]
    })
  )

describe.each(Object.entries(pages))("%s", (_, page) => {
  it("a page's only style is the one whose hash its policy has", () => {
    const headers = { ...pageHeaders(), ...page.headers }
    const styles = [...page.html.matchAll(/<style>(.*?)<\/style>/gs)].map(([, style = ""]) => style)
    const [style = ""] = styles
    assert.lengthOf(styles, 1)
    assert.include(
      headers["content-security-policy"],
      `style-src 'sha256-${createHash("sha256").update(style).digest("base64")}';`
    )
    assert.notMatch(String(headers["content-security-policy"]), /unsafe|script-src|form-action [^;]*https:/)
    assert.notMatch(page.html, /<[^>]* style=/)
  })

  it("a page has no script, no handler, and nothing to load", () => {
    const elements = [...page.html.matchAll(/<([a-z0-9]+)/g)].map(([, name]) => name)
    for (const name of ["script", "img", "link", "iframe", "object", "svg"]) assert.notInclude(elements, name)
    assert.notMatch(page.html.replaceAll(/="[^"]*"/g, "="), /<[^>]* on[a-z]+=/)
  })

  it("a page has a language, one main part and one heading of the first level, and skips no level", () => {
    assert.include(page.html, '<html lang="en">')
    assert.lengthOf(page.html.match(/<main>/g) ?? [], 1)
    const levels = [...page.html.matchAll(/<h(\d)>/g)].map(([, level]) => Number(level))
    assert.lengthOf(
      levels.filter((level) => level === 1),
      1
    )
    for (const [index, level] of levels.entries()) assert.isAtMost(level, (levels[index - 1] ?? 0) + 1)
  })
})

describe("the page of a person", () => {
  it("a person's page says who is logged in where, and when that was", () => {
    const words = wordsOf(mePage(personView(), atRoot).html)
    assert.include(words, "Logged in as Alice Example at https://login.example.com")
    assert.include(words, "As of 4 March 2026, 09:30 UTC. Load the page again to see what is new.")
  })

  it("a person's page leads an operator to everyone's page, and nobody else", () => {
    const link = '<a href="/me/everyone">'
    assert.include(mePage(personView({ isOperator: true }), atRoot).html, link)
    assert.notInclude(mePage(personView(), atRoot).html, "/me/everyone")
  })

  it("a person with access sees what was granted, to whom, since when and until when", () => {
    const grant = { scopes: ["read", "write"], issuedAt: now - 7_200_000, renewsAt: now + 60_000 }
    assert.deepStrictEqual(sectionOf({ grant, activity: { lastUseAt: now - 59_999, askedBy: "Claude" } }), [
      "files",
      "Connected. MCP clients that you use with this gateway can use this server with your account.",
      "Scopes granted",
      "read",
      "write",
      "Asked for by",
      "A client that calls itself “Claude”",
      "Token obtained",
      "2 hours ago (4 March 2026, 07:30 UTC)",
      "Next renewal",
      "in 1 minute (4 March 2026, 09:31 UTC)",
      "Last use",
      "less than a minute ago (4 March 2026, 09:29 UTC)",
      "Connect again files",
      "Disconnect files"
    ])
  })

  it("a time is written for machines, too", () => {
    const { html } = mePage(
      personView({ servers: [serverView({ activity: { lastUseAt: now - 1 } })] }),
      atRoot
    )
    assert.include(html, '<time datetime="2026-03-04T09:29:59.999Z">4 March 2026, 09:29 UTC</time>')
  })

  it.each([
    [{ expiresAt: now + 3 * 86_400_000 }, "Connected.", "Access ends", "in 3 days (7 March 2026, 09:30 UTC)"],
    [
      { expiresAt: now },
      "Access has ended.",
      "Access ended",
      "less than a minute ago (4 March 2026, 09:30 UTC)"
    ],
    [{}, "Connected.", "Access ends", "Not by itself"],
    [{ renewsAt: now - 3_600_000 }, "Connected.", "Renewal was due", "1 hour ago (4 March 2026, 08:30 UTC)"],
    [{ expiresAt: Number.MAX_VALUE }, "Connected.", "Access ends", "at a time that no calendar has"]
  ])("a token with %j has the state and the end that follow", (times, state, label, text) => {
    const words = sectionOf({ grant: { scopes: undefined, issuedAt: now, ...times } })
    assert.isTrue(words[1]?.startsWith(state), words[1])
    assert.strictEqual(words[words.indexOf(label) + 1], text)
    assert.include(words, "The server did not say")
  })

  it("a person without access sees that, and can connect", () => {
    assert.deepStrictEqual(sectionOf({}), [
      "files",
      "Not connected. This gateway has no access with your account.",
      "Last use",
      "Not since the gateway was started",
      "Connect files"
    ])
  })

  it("an error is shown with its time, also where there is no access", () => {
    const activity = { lastError: { reason: "AuthorizationDenied", at: "2026-03-04T09:25:00.000Z" } }
    const error = "AuthorizationDenied, 5 minutes ago (4 March 2026, 09:25 UTC)"
    assert.include(sectionOf({ activity }), error)
    const connected = sectionOf({ activity, grant: { scopes: [], issuedAt: now } })
    assert.include(connected, error)
    assert.include(
      connected,
      "Connected, with an error. The last attempt to get a token failed. If that goes on, connect again."
    )
  })

  it("a person whose grant is not known reads why, and can end what may be there", () => {
    assert.deepStrictEqual(sectionOf({ problem: "The store is away" }), [
      "files",
      "Not known now.",
      "The store is away",
      "Last use",
      "Not since the gateway was started",
      "Connect files",
      "Disconnect files"
    ])
  })

  it("a server at which nobody logs in has nothing to connect, and no form", () => {
    assert.deepStrictEqual(sectionOf({ isPersonal: false, activity: { lastUseAt: now - 60_000 } }), [
      "files",
      "You can use this server. It asks nobody to log in, so there is nothing to connect.",
      "Last use",
      "1 minute ago (4 March 2026, 09:29 UTC)"
    ])
  })

  it("a waiting login says who asked and when, and leads to its page", () => {
    const waiting = [
      { client: "Claude", begunAt: now - 120_000, path: "/me/links/a" },
      { client: undefined, begunAt: now - 180_000, path: "/me/links/b" }
    ]
    const { html } = mePage(personView({ servers: [serverView({ waiting })] }), { prefix: "/mcp gateway" })
    assert.include(
      html,
      '<li><a href="/mcp gateway/me/links/a">A client that calls itself “<bdi>Claude</bdi>” asked for access</a>, 2 minutes ago'
    )
    assert.include(
      html,
      '<a href="/mcp gateway/me/links/b">A client that gave no name asked for access</a>, 3 minutes'
    )
  })

  it("each form goes to its path below the public URL, with the server and the token of the form", () => {
    const servers = [serverView({ grant: { scopes: [], issuedAt: now } })]
    const { headers, html } = mePage(personView({ servers }), { prefix: "/gateway" })
    const server = { server: "files", form_token: "a-form-token" }
    assert.deepStrictEqual(formsOf(html), [
      { action: "/gateway/me/logout", fields: { form_token: "a-form-token" }, button: "Log out" },
      { action: "/gateway/me/connect", fields: server, button: "Connect again files" },
      { action: "/gateway/me/disconnect", fields: server, button: "Disconnect files" }
    ])
    assert.include(headers?.["content-security-policy"], "; form-action 'self'")
  })

  it("a person who may use no server reads what that means", () => {
    const words = wordsOf(mePage(personView({ servers: [] }), atRoot).html)
    assert.include(
      words,
      "There is no server that you may use here. Whoever runs this gateway decides which servers it has, and for whom."
    )
  })
})

describe("names that others chose", () => {
  it("a name that looks like markup, or turns the line around, is shown as text", () => {
    const { html } = mePage(hostileView, atRoot)
    assert.notMatch(html, /<script|<img|javascript:/)
    const shown = html.replaceAll(/ value="[^"]*"/g, "")
    for (const character of ["\u202E", "\u0007", "\u001B"]) assert.notInclude(shown, character)
    assert.include(
      wordsOf(html).join("\n"),
      `"><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;\\u202egnp\\u0007\\u001b[31m`
    )
  })

  it("a server's name comes back from a form as it is, whatever characters it has", () => {
    const { html } = mePage(hostileView, atRoot)
    const [, connect] = formsOf(html)
    const value = connect?.fields["server"] ?? ""
    assert.notMatch(value, /[<>"']/)
    assert.strictEqual(
      value.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code))),
      hostile
    )
  })

  it("a name stands in bdi, is cut where it is very long, and piles no marks", () => {
    const { html } = mePage(hostileView, atRoot)
    assert.include(html, "<bdi>مرحبا</bdi>")
    assert.include(html, `<h2><bdi>${"W".repeat(200)}…</bdi></h2>`)
    const askedBy = `e${"\u0301".repeat(50)}`
    const grant = { scopes: ["x".repeat(900)], issuedAt: now }
    const words = sectionOf({ grant, activity: { askedBy } })
    assert.include(words, `A client that calls itself “e${"\u0301".repeat(6)}”`)
    assert.include(words, "x".repeat(900), "what was granted is never cut")
  })

  it("a name is cut between characters, and a blank one is said to be blank", () => {
    const grant = { scopes: [], issuedAt: now }
    assert.include(
      sectionOf({ grant, activity: { askedBy: "🦊".repeat(201) } }),
      `A client that calls itself “${"🦊".repeat(200)}…”`
    )
    assert.include(
      sectionOf({ grant, activity: { askedBy: " \t " } }),
      "A client that calls itself “(a name without letters)”"
    )
  })
})

describe("the page of everyone", () => {
  const { html } = everyonePage(everyoneView, { prefix: "/gateway" })

  it("everyone's page shows each person by name and key, or by the key alone", () => {
    const words = wordsOf(html)
    assert.include(words, `Alice Example at https://login.example.com, person-${"a".repeat(43)}`)
    assert.include(words, "ci-runner")
    assert.include(words, `Bob, person-${"b".repeat(43)}`)
    assert.include(words, "No server")
  })

  it("everyone's page says what each person has at each server, and who asked", () => {
    assert.include(
      wordsOf(html).join(" | "),
      "github | Connected | read:user | repo | workflow | " +
        "Token obtained: 3 hours ago (4 March 2026, 06:30 UTC)Next renewal: in 5 hours (4 March 2026, 14:30 UTC) | " +
        "12 minutes ago (4 March 2026, 09:18 UTC) | None | A client that calls itself “Claude Desktop”"
    )
  })

  it("everyone's page changes nothing, and leads back to the operator's own page", () => {
    assert.isEmpty(formsOf(html))
    assert.notMatch(html, /<(?:form|input|button)/)
    assert.include(html, '<a href="/gateway/me">Your connections</a>')
  })

  it("everyone's page says that persons are left out only where some are", () => {
    const cut = "Not all persons are shown."
    assert.include(html, cut)
    assert.notInclude(everyonePage({ ...everyoneView, isCut: false }, atRoot).html, cut)
  })

  it("everyone's page says what it means that nobody is there", () => {
    assert.include(
      wordsOf(everyonePage({ now, persons: [], isCut: false }, atRoot).html),
      "Nobody is known here yet: no person has opened their page or connected a server."
    )
  })
})
