import { assert, describe, layer } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"
import { until } from "../bridge/bridgeServer.ts"
import { TestLayer } from "../config/configFile.ts"
import { entry, secretEnvironment, startCommand, writeConfig } from "./gatewayProcess.ts"

/** Says the name of its token file, and then what is in it, each time that is something else. */
const reader = `
const { readFileSync } = require("node:fs")
const path = process.env.TOKEN_FILE
console.log(path)
let last
setInterval(() => {
  const token = readFileSync(path, "utf8")
  if (token !== last) console.log("token " + (last = token))
}, 20)
process.stdin.resume().on("end", () => process.exit(0))
`

describe("token_renewal", () => {
  layer(TestLayer, { excludeTestServices: true })((it) => {
    it.effect(
      "a child finds the next token in its file before the one it has expires, and is not restarted",
      () =>
        Effect.gen(function* () {
          const server = yield* StubAuthorizationServer.make()
          yield* server.always("/token", Answer.token({ access_token: "first-token", expires_in: 6 }))
          const { oauth } = entry("child", "", server.endpoint("/token"))
          const config = yield* writeConfig({
            servers: [
              {
                server_name: "child",
                config: {
                  command: process.execPath,
                  args: ["-e", reader],
                  token_renewal: "file",
                  token_file_env: "TOKEN_FILE"
                },
                oauth
              }
            ]
          })
          const command = yield* startCommand(["stdio", "child", "-c", config], secretEnvironment)
          const said = (pattern: RegExp) => command.until("stdout", (text) => pattern.exec(text)?.[0])
          yield* said(/^token first-token$/m)
          yield* server.always("/token", Answer.token({ access_token: "second-token" }))
          yield* said(/^token second-token$/m)
          yield* command.closeInput
          const { exitCode, stdout } = yield* command.finished
          assert.strictEqual(exitCode, 0)
          const [path = "", ...tokens] = stdout.trim().split("\n")
          assert.deepStrictEqual(tokens, ["token first-token", "token second-token"])
          yield* until(() => !existsSync(path))
        })
    )
  })
})
