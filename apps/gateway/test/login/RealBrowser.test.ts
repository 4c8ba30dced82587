import { assert, beforeAll, describe, layer } from "@effect/vitest"
import { chromiumProgram, requireProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { runGateway, writeConfig } from "../cli/gatewayProcess.ts"
import { ping, post } from "../cli/mcpMessages.ts"
import { startGateway } from "../http/RunningGateway.ts"
import { TestLayer } from "../config/configFile.ts"
import { openPage } from "./Chromium.ts"
import { makeBrowser, makeStateDirectory, startDialogue } from "./commandProcess.ts"
import { personalEntry, startProtectedServer } from "./ProtectedServer.ts"

describe("a person with a real browser", () => {
  let executable: string | undefined
  beforeAll(() => {
    executable = requireProgram(chromiumProgram)
  })

  layer(TestLayer)((it) => {
    it.effect("a person with a real browser logs in where only the server's URL is configured", (test) =>
      Effect.gen(function* () {
        if (executable === undefined) return test.skip("there is no Chromium")
        const server = yield* startProtectedServer({ pointer: "well-known" })
        const config = yield* writeConfig({ servers: [personalEntry(server.url)] })
        const env = { XDG_STATE_HOME: yield* makeStateDirectory }
        const browser = yield* makeBrowser
        const login = yield* startDialogue(["login", "echo", "--config", config], {
          ...env,
          BROWSER: browser.command
        })
        const page = yield* openPage(executable)
        const url = yield* browser.opened
        const shown = yield* Effect.promise(async () => {
          await page.goto(url)
          await page.getByLabel("Name").fill("alice")
          await page.getByRole("button", { name: "Continue" }).click()
          await page.getByText("A client asks for access.").waitFor()
          await page.getByRole("button", { name: "Continue" }).click()
          await page.getByRole("heading", { name: "Logged in" }).waitFor()
          return page.title()
        })
        assert.strictEqual(shown, "Logged in")
        const { exitCode, stderr, stdout } = yield* login.finished
        assert.strictEqual(exitCode, 0, stderr)
        assert.include(stdout, "Logged in to echo")
        const token = yield* runGateway(["token", "echo", "--json", "--show", "--config", config], env)
        const described = yield* server.authorizationServer.verify(JSON.parse(token.stdout).access_token)
        assert.isTrue(described.active && described.sub === "alice")
      })
    )

    it.effect(
      "a person with a real browser without JavaScript goes on from a link, and nobody else does",
      (test) =>
        Effect.gen(function* () {
          if (executable === undefined) return test.skip("there is no Chromium")
          const server = yield* startProtectedServer({ pointer: "well-known" })
          const key = "the-key-that-mallory-holds"
          const gateway = yield* startGateway({
            store: { type: "memory" },
            gateway: { api_keys: [{ subject: "mallory", key }] },
            servers: [personalEntry(server.url)]
          })
          const { text } = yield* post(gateway.url, "echo", ping, { authorization: `Bearer ${key}` })
          const link = String(JSON.parse(text).error.data.authorization_url)
          const page = yield* openPage(executable, { javaScriptEnabled: false })
          const colleague = yield* openPage(executable, { javaScriptEnabled: false })
          const codes = Effect.map(server.authorizationServer.tokenRequests, (requests) => requests.length)

          const asked = yield* Effect.promise(async () => {
            await page.goto(link)
            return page.locator("body").innerText()
          })
          assert.include(asked, "mallory asked this gateway for access to the server echo")
          const sentOn = yield* Effect.promise(async () => {
            const [request] = await Promise.all([
              page.waitForRequest((request) => request.url().startsWith(server.authorizationServer.issuer)),
              page.getByRole("button", { name: "I asked for this" }).click()
            ])
            await page.getByLabel("Name").waitFor()
            return request.url()
          })
          const logIn = async (person: typeof page, name: string) => {
            await person.getByLabel("Name").fill(name)
            await person.getByRole("button", { name: "Continue" }).click()
            await person.getByText("A client asks for access.").waitFor()
            await person.getByRole("button", { name: "Continue" }).click()
            await person.getByRole("heading", { name: /ogged in/ }).waitFor()
            return person.locator("body").innerText()
          }
          const ofColleague = yield* Effect.promise(async () => {
            await colleague.goto(sentOn)
            return logIn(colleague, "alice")
          })
          assert.include(ofColleague, "Not logged in")
          assert.include(ofColleague, "This browser did not begin this login")
          assert.strictEqual(yield* codes, 0)
          const elsewhere = yield* Effect.promise(() => colleague.goto(link))
          assert.strictEqual(elsewhere?.status(), 403)
          assert.include(
            yield* Effect.promise(() => logIn(page, "mallory")),
            "The gateway may now use echo for you"
          )
          assert.strictEqual(yield* codes, 1)
        })
    )
  })
})
