import { assert, beforeAll, describe, layer } from "@effect/vitest"
import { chromiumProgram, requireProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { TestLayer } from "../config/configFile.ts"
import { openPage } from "../login/Chromium.ts"
import { startCompanyPeople } from "./CompanyPeople.ts"

describe("a person of the company with a real browser without JavaScript", () => {
  let executable: string | undefined
  beforeAll(() => {
    executable = requireProgram(chromiumProgram)
  })

  layer(TestLayer)((it) => {
    it.effect("a person connects a server, sees what they granted, disconnects it and logs out", (test) =>
      Effect.gen(function* () {
        if (executable === undefined) return test.skip("there is no Chromium")
        const { call, colleague, publicUrl } = yield* startCompanyPeople()
        const page = yield* openPage(executable, { javaScriptEnabled: false })
        const refused: Array<string> = []
        page.on("console", (message) => {
          if (message.text().includes("Content Security Policy")) refused.push(message.text())
        })
        yield* Effect.promise(async () => {
          await page.goto(`${publicUrl}/me`)
          // The company.
          await page.getByLabel("Name").fill("ada")
          await page.getByRole("button", { name: "Continue" }).click()
          await page.getByText("A client asks for access.").waitFor()
          await page.getByRole("button", { name: "Continue" }).click()
          await page.getByRole("button", { name: /^Connect.*wiki/ }).click()
          await page.getByRole("button", { name: "I asked for this" }).click()
          // The server's own login.
          await page.getByLabel("Name").fill("ada-at-the-wiki")
          await page.getByRole("button", { name: "Continue" }).click()
          await page.getByText("A client asks for access.").waitFor()
          await page.getByRole("button", { name: "Continue" }).click()
          await page.getByRole("heading", { name: "Logged in" }).waitFor()
        })
        const ada = yield* colleague("ada")
        assert.strictEqual((yield* call(ada)).status, 200)

        const shown = yield* Effect.promise(async () => {
          await page.goto(`${publicUrl}/me`)
          return page.locator("body").innerText()
        })
        assert.include(shown, "mcp:read")
        yield* Effect.promise(async () => {
          await page.getByRole("button", { name: /^Disconnect.*wiki/ }).click()
          await page.getByRole("button", { name: /^Connect.*wiki/ }).waitFor()
        })
        assert.isDefined((yield* call(ada)).link)
        yield* Effect.promise(async () => {
          await page.goto(`${publicUrl}/me`)
          await page.getByRole("button", { name: "Log out" }).click()
          await page.getByRole("heading", { name: "Logged out" }).waitFor()
        })
        assert.deepStrictEqual(refused, [])
      })
    )

    it.effect("a link that was sent to another person leads to nothing in their browser", (test) =>
      Effect.gen(function* () {
        if (executable === undefined) return test.skip("there is no Chromium")
        const { call, colleague, remote } = yield* startCompanyPeople()
        const { link = "" } = yield* call(yield* colleague("mallory"))
        const page = yield* openPage(executable, { javaScriptEnabled: false })
        yield* Effect.promise(async () => {
          await page.goto(link)
          await page.getByLabel("Name").fill("ada")
          await page.getByRole("button", { name: "Continue" }).click()
          await page.getByText("A client asks for access.").waitFor()
          await page.getByRole("button", { name: "Continue" }).click()
          await page.getByRole("heading", { name: "This login is for another person" }).waitFor()
        })
        assert.lengthOf(yield* remote.authorizationServer.tokenRequests, 0)
      })
    )
  })
})
