import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { TestLayer } from "../config/configFile.ts"
import { companyClient, startCompanyPeople } from "./CompanyPeople.ts"

describe("what a person sees and changes at /me", () => {
  layer(TestLayer)((it) => {
    it.effect("a person connects a server without an MCP client, and disconnects it again", () =>
      Effect.gen(function* () {
        const { browser, call, colleague, remote } = yield* startCompanyPeople({ servers: ["wiki", "chat"] })
        const { goAs, openMe, send } = browser()
        const before = yield* openMe("ada")
        assert.strictEqual(before.status, 200)
        const sent = yield* send("/me/connect", before.text, { server: "wiki" })
        assert.strictEqual(sent.status, 303)
        assert.include((yield* goAs("ada", sent.location ?? "")).text, "Logged in")
        const ada = yield* colleague("ada")
        assert.strictEqual((yield* call(ada)).status, 200)
        const during = yield* openMe("ada")
        assert.include(during.text, "mcp:read")
        assert.strictEqual(during.text.split("Disconnect").length > 1, true)

        assert.strictEqual((yield* send("/me/disconnect", during.text, { server: "wiki" })).status, 303)
        assert.notInclude((yield* openMe("ada")).text, "mcp:read")
        assert.isDefined((yield* call(ada)).link)
        // It was revoked at its own server, too.
        const [granted] = yield* remote.authorizationServer.tokenRequests
        assert.isDefined(granted)
      })
    )

    it.effect("a person sees which client asked, goes on from there, and sees when it was used", () =>
      Effect.gen(function* () {
        const { browser, call, colleague, publicUrl } = yield* startCompanyPeople()
        const ada = yield* colleague("ada")
        yield* call(ada)
        const { goAs, openMe } = browser()
        const waiting = yield* openMe("ada")
        assert.include(waiting.text, "gateway-test")
        const [path = ""] = /\/me\/links\/[\w-]{43}/.exec(waiting.text) ?? []
        assert.include((yield* goAs("ada", publicUrl + path)).text, "Logged in")
        yield* call(ada)
        yield* TestClock.adjust("3 minutes")
        const after = yield* openMe("ada")
        assert.include(after.text, "gateway-test")
        assert.include(after.text, "3 minutes ago")
        assert.notMatch(after.text, /\/me\/links\//)
      })
    )

    it.effect("each person sees and disconnects their own grant, and nobody else's", () =>
      Effect.gen(function* () {
        const { browser, call, colleague } = yield* startCompanyPeople()
        const people = yield* Effect.forEach(["ada", "bob"], (name) =>
          Effect.gen(function* () {
            const client = yield* colleague(name)
            const own = browser()
            yield* own.goAs(name, (yield* call(client)).link ?? "")
            return { name, client, ...own }
          })
        )
        const [ada, bob] = people
        assert(ada !== undefined && bob !== undefined)
        const page = yield* ada.openMe("ada")
        assert.notInclude(page.text, "bob")
        yield* ada.send("/me/disconnect", page.text, { server: "wiki" })
        assert.isDefined((yield* call(ada.client)).link)
        assert.strictEqual((yield* call(bob.client)).status, 200)
        assert.include((yield* bob.openMe("bob")).text, "mcp:read")
      })
    )

    it.effect("a server that `allow` keeps from a person is not shown to them", () =>
      Effect.gen(function* () {
        const { browser } = yield* startCompanyPeople({
          servers: ["wiki", "chat"],
          gateway: { allow: { chat: { subjects: ["bob"] } } }
        })
        const [ada, bob] = [browser(), browser()]
        assert.notInclude((yield* ada.openMe("ada")).text, "chat")
        assert.include((yield* bob.openMe("bob")).text, "chat")
      })
    )

    it.effect("an operator sees all persons and no token, and others do not", () =>
      Effect.gen(function* () {
        const { browser, call, colleague, publicUrl, remote } = yield* startCompanyPeople({
          callers: { admin: { subjects: ["grace"] } }
        })
        for (const name of ["ada", "bob"]) {
          const client = yield* colleague(name)
          yield* browser().goAs(name, (yield* call(client)).link ?? "")
          yield* call(client)
        }
        const grace = browser()
        assert.include((yield* grace.openMe("grace")).text, "/me/everyone")
        const { status, text } = yield* grace.ask(`${publicUrl}/me/everyone`)
        assert.strictEqual(status, 200)
        for (const shown of ["ada", "bob", "wiki", "mcp:read"]) assert.include(text, shown)
        const used = yield* remote.echo.requests
        assert.isNotEmpty(used)
        for (const { authorization } of used)
          if (authorization !== undefined) assert.notInclude(text, Redacted.value(authorization).slice(7))
        const ada = browser()
        assert.notInclude((yield* ada.openMe("ada")).text, "/me/everyone")
        assert.strictEqual((yield* ada.ask(`${publicUrl}/me/everyone`)).status, 403)
      })
    )

    it.effect("an operator may be known by a scope, which is asked for on the page of operators only", () =>
      Effect.gen(function* () {
        const { browser, publicUrl } = yield* startCompanyPeople({
          callers: { admin: { scopes: ["operator"] } },
          login: companyClient
        })
        const grace = browser()
        const scopes: Array<string> = []
        const until = (next: URL) => {
          const scope = next.searchParams.get("scope")
          if (scope !== null) scopes.push(scope)
          return next.pathname === "/me" || next.pathname === "/me/everyone"
        }
        yield* grace.goAs("grace", `${publicUrl}/me/login`, until)
        assert.notInclude(scopes.join(), "operator")
        const { location } = yield* grace.ask(`${publicUrl}/me/everyone`)
        yield* grace.goAs("grace", location ?? "", until)
        assert.include(scopes.join(), "operator")
        assert.strictEqual((yield* grace.ask(`${publicUrl}/me/everyone`)).status, 200)
      })
    )
  })
})
