import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestLayer } from "../config/configFile.ts"
import { startCompanyPeople } from "./CompanyPeople.ts"

describe("what a person can do next", () => {
  layer(TestLayer)((it) => {
    it.effect("pages that end something lead to what the person has granted", () =>
      Effect.gen(function* () {
        const { browser, call, colleague, publicUrl } = yield* startCompanyPeople()
        const { link = "" } = yield* call(yield* colleague("ada"))
        const ada = browser()
        const done = yield* ada.goAs("ada", link)
        assert.include(done.text, "The gateway may now use wiki for you.")
        const me = yield* ada.ask(`${publicUrl}/me`)
        const pages = [
          done,
          yield* ada.ask(`${publicUrl}/me/nothing`),
          yield* ada.ask(`${publicUrl}/me/everyone`),
          yield* ada.send("/me/connect", me.text, { server: "unknown" })
        ]
        assert.deepStrictEqual(
          pages.map(({ status }) => status),
          [200, 404, 403, 404]
        )
        for (const { text } of pages) assert.include(text, `<a href="${publicUrl}/me">Your connections</a>`)
      })
    )

    it.effect("a login that was denied says so to the person and in the log", () =>
      Effect.gen(function* () {
        const { browser, call, colleague, gateway, publicUrl, remote } = yield* startCompanyPeople()
        const { issuer } = remote.authorizationServer
        const { link = "" } = yield* call(yield* colleague("ada"))
        const ada = browser()
        const { url } = yield* ada.goAs("ada", link, ({ origin }) => origin === issuer)
        const state = new URL(url).searchParams.get("state") ?? ""
        const answer = new URLSearchParams({ state, iss: issuer, error: "access_denied" })
        const { status, text } = yield* ada.ask(`${publicUrl}/me/callback?${answer}`)
        assert.strictEqual(status, 400)
        assert.include(text, "<p>The authorization was denied (access_denied).")
        assert.include(text, `<a href="${publicUrl}/me">Your connections</a>`)
        assert.match(
          gateway.logs.join("\n"),
          /A login to .*wiki.* failed: the authorization was denied \(access_denied\)/
        )
      })
    )
  })
})
