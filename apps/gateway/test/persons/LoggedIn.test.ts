import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestLayer } from "../config/configFile.ts"
import { startCompanyPeople } from "./CompanyPeople.ts"

describe("a browser at which a person of the company is logged in", () => {
  layer(TestLayer)((it) => {
    it.effect(
      "the link of a login counts for the person who asked for it, who logs in at the company first",
      () =>
        Effect.gen(function* () {
          const { browser, call, colleague, publicUrl, remote } = yield* startCompanyPeople()
          const ada = yield* colleague("ada")
          const { link = "" } = yield* call(ada)
          assert.isTrue(link.startsWith(`${publicUrl}/me/links/`), link)
          const { ask, goAs } = browser()
          const end = yield* goAs("ada", link)
          assert.include(end.text, "Logged in")
          const answer = yield* call(ada)
          assert.strictEqual(answer.status, 200, answer.text)
          assert.deepStrictEqual([...new Set(yield* remote.callers)], ["ada"])
          const page = yield* ask(`${publicUrl}/me`)
          assert.strictEqual(page.status, 200)
          for (const shown of ["ada", "wiki", "mcp:read", "Disconnect"]) assert.include(page.text, shown)
        })
    )

    it.effect("a link that somebody else asked for leads nowhere, and says for whom it is", () =>
      Effect.gen(function* () {
        const { browser, call, colleague, remote } = yield* startCompanyPeople()
        const mallory = yield* colleague("mallory")
        const { link = "" } = yield* call(mallory)
        const end = yield* browser().goAs("ada", link)
        assert.strictEqual(end.status, 403)
        assert.include(end.text, "mallory")
        assert.notInclude(end.text, "<form")
        assert.lengthOf(yield* remote.authorizationServer.tokenRequests, 0)
      })
    )

    it.effect(
      "a redirect counts only in a browser of the person who asked, whoever logged in at the server",
      () =>
        Effect.gen(function* () {
          const { browser, call, colleague, remote } = yield* startCompanyPeople()
          const mallory = yield* colleague("mallory")
          const { link = "" } = yield* call(mallory)
          const isCallback = ({ pathname }: URL) => pathname === "/me/callback"
          // Mallory's own browser goes as far as the login at the server, whose address Ada is sent.
          const { url: authorizationUrl } = yield* browser().goAs(
            "mallory",
            link,
            ({ origin }) => origin === new URL(remote.authorizationServer.issuer).origin
          )
          const ada = browser()
          yield* ada.openMe("ada")
          const { url: callback } = yield* ada.goAs("ada", authorizationUrl, isCallback)
          const refused = yield* ada.ask(callback)
          assert.strictEqual(refused.status, 403)
          assert.include(refused.text, "Another person asked for this login")
          // Nobody at all is logged in there.
          const stranger = yield* browser().ask(callback)
          assert.strictEqual(stranger.status, 403)
          assert.lengthOf(yield* remote.authorizationServer.tokenRequests, 0)
          assert.isDefined((yield* call(mallory)).link)
        })
    )
  })
})
