import { assert, describe, layer } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { spawn } from "node:child_process"
import { stripVTControlCharacters } from "node:util"
import { TestLayer } from "../config/configFile.ts"
import {
  baseEnvironment,
  commandLine,
  entry,
  type Finished,
  runGateway,
  secretEnvironment,
  serve,
  writeConfig
} from "./gatewayProcess.ts"
import { initialize, post } from "./mcpMessages.ts"

/** A link (OSC 8), a colour and a cleared screen (CSI), the same in C1, a bell, a turned line, a deleted and a hidden character. */
const escapes =
  "\u001B]8;;https://evil.example\u0007go\u001B]8;;\u0007 \u001B[31m\u001B[2J \u009B2J \u202Eturned\u202C \u007F\u200B\u{E0041}"

/** Text that would begin a line of its own. */
const forged = `${escapes}\r\nLogged in to remote\u2028Logged in\u0085Logged in`

const hasNoEscapes = (text: string, what: string) => {
  assert.notMatch(text, /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u, what)
  assert.notMatch(text, /^Logged in/m, what)
}

const saysEverything = ({ stderr, stdout }: Finished, what: string) => {
  hasNoEscapes(stdout, `${what}: standard output`)
  hasNoEscapes(stderr, `${what}: standard error`)
  assert.include(`${stdout}${stderr}`, "evil.example", `${what} shows the text of the server`)
}

/** What stands on a terminal that a command runs in. */
const inTerminal = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  Effect.callback<string>((resume) => {
    const command = [process.execPath, ...commandLine(...args)].map((part) => `'${part}'`).join(" ")
    const terminal = spawn("script", ["-qec", command, "/dev/null"], { env: { ...baseEnvironment, ...env } })
    let shown = ""
    terminal.stdout.setEncoding("utf8").on("data", (text: string) => (shown += text))
    terminal.stdin.end()
    terminal.on("close", () => resume(Effect.succeed(shown.replaceAll("\r\n", "\n"))))
    return Effect.sync(() => void terminal.kill())
  })

const hostileServer = Effect.gen(function* () {
  const server = yield* StubAuthorizationServer.make()
  const refusal = Answer.json({ error: "invalid_request", error_description: forged }, { status: 400 })
  yield* server.always("/token", refusal)
  yield* server.always("/device", refusal)
  yield* server.always("/revoke", refusal)
  return server
})

describe("what a command shows of others' texts", () => {
  layer(TestLayer, { excludeTestServices: true })((it) => {
    it.effect("control characters of a server's error reach no terminal by token, login or a request", () =>
      Effect.gen(function* () {
        const server = yield* hostileServer
        const config = yield* writeConfig({
          store: { type: "memory" },
          servers: [
            entry("remote", "http://127.0.0.1:1/mcp", server.endpoint("/token")),
            entry("person", "http://127.0.0.1:1/mcp", server.endpoint("/token"), {
              grant_type: "device_code",
              device_authorization_url: server.endpoint("/device")
            })
          ]
        })
        saysEverything(yield* runGateway(["token", "remote", "-c", config], secretEnvironment), "token")
        saysEverything(yield* runGateway(["login", "person", "-c", config], secretEnvironment), "login")
        saysEverything(
          yield* runGateway(
            ["stdio", "remote", "-c", config],
            secretEnvironment,
            `${JSON.stringify(initialize)}\n`
          ),
          "stdio"
        )
        const json = yield* runGateway(
          ["token", "remote", "-c", config, "--log-format", "json"],
          secretEnvironment
        )
        hasNoEscapes(json.stderr, "JSON logs")
      })
    )

    it.effect("the code and the address of a device login are shown without control characters", () =>
      Effect.gen(function* () {
        const server = yield* StubAuthorizationServer.make()
        yield* server.always("/token", Answer.json({ error: "access_denied" }, { status: 400 }))
        yield* server.always(
          "/device",
          Answer.json({
            device_code: "device",
            user_code: forged,
            verification_uri: "https://evil.example/\u001B[2J",
            expires_in: 60,
            interval: 1
          })
        )
        const config = yield* writeConfig({
          servers: [
            entry("person", "http://127.0.0.1:1/mcp", server.endpoint("/token"), {
              grant_type: "device_code",
              device_authorization_url: server.endpoint("/device")
            })
          ]
        })
        const finished = yield* runGateway(["login", "person", "-c", config], secretEnvironment)
        hasNoEscapes(finished.stdout, "standard output")
        hasNoEscapes(finished.stderr, "standard error")
        assert.strictEqual(finished.exitCode, 1)
      })
    )

    it.effect("a child's error output in the log of serve shows its control characters, line by line", () =>
      Effect.gen(function* () {
        const text = JSON.stringify(`first\n${forged}\nlast\n`)
        const gateway = yield* serve({
          servers: [
            {
              server_name: "child",
              config: {
                command: process.execPath,
                args: ["-e", `process.stderr.write(${text}); process.stdout.write(${text})`]
              }
            }
          ]
        })
        yield* post(gateway.url, "child", initialize)
        yield* gateway.logged("last")
        yield* gateway.signal("SIGTERM")
        const finished = yield* gateway.finished
        saysEverything(finished, "serve")
        assert.match(finished.stderr, /: first\n/)
        assert.match(finished.stderr, /: last\n/)
      })
    )

    it.effect("an imported file's names and remarks are shown without control characters", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const directory = yield* files.makeTempDirectoryScoped()
        const file = `${directory}/client.json`
        yield* files.writeFileString(
          file,
          JSON.stringify({
            mcpServers: {
              [forged]: { url: "https://mcp.example/mcp", [escapes]: true },
              [`other${escapes}`]: { command: "node", args: [escapes], env: { [escapes]: "x" } }
            }
          })
        )
        const finished = yield* runGateway(["import", file])
        saysEverything(finished, "import")
        assert.isObject(JSON.parse(finished.stdout), "escapes are JSON's own")
      })
    )

    it.effect(
      "a configuration's texts are shown without control characters by check, doctor and logout",
      () =>
        Effect.gen(function* () {
          const invalid = yield* writeConfig({
            servers: [{ server_name: escapes, config: { url: escapes, [escapes]: 1 } }],
            [escapes]: 1
          })
          for (const command of [["check"], ["doctor", escapes]]) {
            const finished = yield* runGateway([...command, "-c", invalid])
            hasNoEscapes(finished.stderr, command.join(" "))
            assert.strictEqual(finished.exitCode, 1, command.join(" "))
          }
          const server = yield* hostileServer
          const valid = yield* writeConfig({
            servers: [entry("remote", server.endpoint("/mcp"), server.endpoint("/token"))]
          })
          yield* server.always("/mcp", Answer.json({ error_description: forged }, { status: 400 }))
          for (const command of [
            ["doctor", "remote"],
            ["doctor", "remote", "--json"],
            ["logout", escapes],
            [escapes]
          ]) {
            const finished = yield* runGateway([...command, "-c", valid], secretEnvironment)
            hasNoEscapes(finished.stdout, command.join(" "))
            hasNoEscapes(finished.stderr, command.join(" "))
          }
        })
    )

    it.effect("in a terminal the error output of a child of stdio is shown and not obeyed", () =>
      Effect.gen(function* () {
        const config = yield* writeConfig({
          servers: [
            {
              server_name: "child",
              config: {
                command: process.execPath,
                args: ["-e", `process.stderr.write(${JSON.stringify(`first\n${forged}\nlast\n`)})`]
              }
            }
          ]
        })
        const shown = yield* inTerminal(["stdio", "child", "-c", config])
        hasNoEscapes(shown.replaceAll(/^Logged in to remote/gm, ""), "terminal")
        assert.match(shown, /^first\n/m)
        assert.include(shown, "\\u001b]8;;https://evil.example")
      })
    )

    it.effect("in a terminal the log keeps its own colours, and nothing else that a terminal obeys", () =>
      Effect.gen(function* () {
        const server = yield* StubAuthorizationServer.make()
        yield* server.always(
          "/token",
          Answer.token({ access_token: "an-access-token", scope: `other ${escapes}` })
        )
        const config = yield* writeConfig({
          servers: [entry("remote", "http://127.0.0.1:1/mcp", server.endpoint("/token"))]
        })
        const shown = yield* inTerminal(["token", "remote", "-c", config], {
          ...secretEnvironment,
          TERM: "xterm"
        })
        assert.include(shown, "\u001B[3", "colours")
        hasNoEscapes(stripVTControlCharacters(shown), "terminal")
      })
    )
  })
})
