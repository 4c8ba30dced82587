import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestLayer } from "../config/configFile.ts"
import { startCompanyPeople } from "./CompanyPeople.ts"

describe("a person whom gateway.allow does not name for a server", () => {
  layer(TestLayer)((it) => {
    it.effect(
      "a server that a person may not use cannot be connected, and looks like one that is not there",
      () =>
        Effect.gen(function* () {
          const { browser, publicUrl, remote } = yield* startCompanyPeople({
            servers: ["wiki", "salaries"],
            gateway: { allow: { salaries: { subjects: ["grace"] } } }
          })
          const { openMe, send } = browser()
          const page = yield* openMe("ada")
          assert.include(page.text, "wiki")
          assert.notInclude(page.text, "salaries")
          const hidden = yield* send("/me/connect", page.text, { server: "salaries" })
          const absent = yield* send("/me/connect", page.text, { server: "no-such-server" })
          assert.strictEqual(hidden.status, 404, hidden.location ?? "")
          assert.strictEqual(hidden.text, absent.text)
          assert.lengthOf(yield* remote.authorizationServer.tokenRequests, 0)
          const grace = browser()
          const { location } = yield* grace.send("/me/connect", (yield* grace.openMe("grace")).text, {
            server: "salaries"
          })
          assert.isTrue(location?.startsWith(`${publicUrl}/me/links/`), location ?? "")
        })
    )
  })
})
