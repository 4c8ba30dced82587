import { assert, beforeAll, describe, layer } from "@effect/vitest"
import { chromiumProgram, requireProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { runGateway, writeConfig } from "../cli/gatewayProcess.ts"
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
  })
})
