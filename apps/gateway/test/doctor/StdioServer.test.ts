import { assert, describe, layer } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { dirname } from "node:path"
import { TestLayer } from "../config/configFile.ts"
import { diagnosed, failures, statuses, stepOf } from "./Diagnosing.ts"

const serverOf = (config: object, tokenUrl?: string) => ({
  server_name: "child",
  config,
  ...(tokenUrl === undefined
    ? {}
    : {
        oauth: {
          enabled: true,
          token_url: tokenUrl,
          client_id: "ours",
          client_secret: "a-secret-of-ours",
          enforce_https: false
        }
      })
})

describe("the diagnosis of a stdio server", () => {
  layer(TestLayer)((it) => {
    it.effect("a command is found by its path and in PATH, and the diagnosis goes on with the token", () =>
      Effect.gen(function* () {
        const as = yield* StubAuthorizationServer.make()
        yield* as.always("/token", Answer.text("", { status: 405 }))
        const whole = yield* diagnosed({
          servers: [serverOf({ command: process.execPath, cwd: "/" }, as.endpoint("/token"))]
        })
        assert.isEmpty(failures(whole))
        assert.deepInclude(statuses(whole), { command: "ok", directory: "ok", token_endpoint: "ok" })
        const byName = yield* diagnosed({
          servers: [serverOf({ command: "node", env: { PATH: `/nowhere:${dirname(process.execPath)}` } })]
        })
        assert.deepStrictEqual(statuses(byName), { command: "ok" })
        assert.strictEqual(stepOf(byName, "command").message, process.execPath)
      })
    )

    it.effect("a missing command or directory fails, and says what to configure", () =>
      Effect.gen(function* () {
        const report = yield* diagnosed({
          servers: [serverOf({ command: "no-such-program-anywhere", cwd: "/no/such/directory" })]
        })
        assert.deepStrictEqual(failures(report), ["command", "directory"])
        assert.include(stepOf(report, "command").advice, "`config.command`")
        assert.include(stepOf(report, "directory").advice, "`config.cwd`")
        const line = yield* diagnosed({ servers: [serverOf({ command: "node server.js" })] })
        assert.include(stepOf(line, "command").advice, "`config.args`")
      })
    )
  })
})
