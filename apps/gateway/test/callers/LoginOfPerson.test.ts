import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { startStubProvider } from "../login/StubProvider.ts"
import { BrowserCookies, visit } from "../login/Person.ts"
import { bearer, publicUrl, startCompany } from "./Company.ts"

describe("a person who is known by a token and logs in at a server", () => {
  it.effect("each person has a grant of their own, under the name of the company and not only theirs", () =>
    Effect.gen(function* () {
      const company = yield* startCompany
      const { call, callbackOf, sent } = yield* startStubProvider({}, {}, company.gateway())
      const headersOf = (subject: string) =>
        Effect.map(company.token(subject, { aud: `${publicUrl}/servers/echo/mcp` }), bearer)
      const ada = yield* headersOf("ada")
      const bob = yield* headersOf("bob")

      const { url: link = "" } = yield* call("ping", ada)
      const cookies = new BrowserCookies()
      const page = yield* visit(link)
      assert.include(page.text, "ada")
      assert.notInclude(page.text, "person-")
      const { headers, url } = yield* callbackOf(link, cookies)
      assert.include((yield* visit(url, { headers })).text, "Logged in")

      assert.isDefined((yield* call("ping", ada)).token)
      assert.isDefined((yield* call("ping", bob)).url)
      assert.lengthOf(yield* sent("authorization_code"), 1)
      // Another token of the same person finds the same grant.
      const later = bearer(yield* company.token("ada", { aud: `${publicUrl}/servers/echo/mcp`, jti: "2" }))
      assert.isDefined((yield* call("ping", later)).token)
    })
  )
})
