import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { isRunning, until } from "../bridge/bridgeServer.ts"
import { TestLayer } from "../config/configFile.ts"
import { runGateway, startCommand, writeConfig } from "./gatewayProcess.ts"

const configOf = (config: object) => writeConfig({ servers: [{ server_name: "child", config }] })

/** Says its own process id and that of a process it has started, and goes on with a program. */
const family = (source = "") => ({
  command: process.execPath,
  args: [
    "-e",
    `
    const { spawn } = require("node:child_process")
    const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" })
    ${source}
    console.log(process.pid + " " + other.pid)`
  ]
})

/** `stdio` with a child and what the child has started. */
const startFamily = Effect.fnUntraced(function* (source?: string) {
  const command = yield* startCommand(["stdio", "child", "-c", yield* configOf(family(source))], {})
  const said = yield* command.until("stdout", (text) => /^(\d+) (\d+)\n/.exec(text) ?? undefined)
  return { ...command, pids: said.slice(1).map(Number) }
})

describe("stdio with a child process", () => {
  layer(TestLayer, { excludeTestServices: true })((it) => {
    it.effect.each([
      { script: "process.exit(7)", expected: 7 },
      { script: "process.stdout.write('out'); process.stderr.write('err')", expected: 0 }
    ])("exits as its child exits: $script", ({ expected, script }) =>
      Effect.gen(function* () {
        const config = yield* configOf({ command: process.execPath, args: ["-e", script] })
        const { exitCode, stderr, stdout } = yield* runGateway(["stdio", "child", "-c", config])
        assert.strictEqual(exitCode, expected)
        assert.strictEqual(stdout, expected === 0 ? "out" : "")
        assert.strictEqual(stderr, expected === 0 ? "err" : "")
      })
    )

    it.effect.each([
      { signal: "SIGKILL", expected: 137 },
      { signal: "SIGSEGV", expected: 139 },
      { signal: "SIGTERM", expected: 143 }
    ])(
      "a child that is ended by $signal ends the command with $expected, which says so",
      ({ expected, signal }) =>
        Effect.gen(function* () {
          const script = `process.kill(process.pid, "${signal}"); setInterval(() => {}, 1000)`
          const config = yield* configOf({ command: process.execPath, args: ["-e", script] })
          assert.deepStrictEqual(yield* runGateway(["stdio", "child", "-c", config]), {
            exitCode: expected,
            stdout: "",
            stderr: `The MCP server "child" was ended by the signal ${signal}\n`
          })
        })
    )

    it.effect.each([
      { signal: "SIGTERM", expected: 143 },
      { signal: "SIGINT", expected: 130 },
      { signal: "SIGHUP", expected: 129 }
    ] as const)(
      "$signal is passed on to the child, and nothing is left of it when the command ends",
      ({ expected, signal }) =>
        Effect.gen(function* () {
          const {
            finished,
            pids,
            signal: send
          } = yield* startFamily(
            `process.on("${signal}", () => { console.log("got it"); process.exit(0) }); setInterval(() => {}, 1000)`
          )
          yield* send(signal)
          const { exitCode, stdout } = yield* finished
          assert.strictEqual(exitCode, expected)
          assert.include(stdout, "got it")
          yield* until(() => !pids.some(isRunning))
        })
    )

    it.effect("a child that ignores the signal is killed before the client kills the command", () =>
      Effect.gen(function* () {
        const { finished, pids, signal } = yield* startFamily(
          `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)`
        )
        yield* signal("SIGTERM")
        assert.strictEqual((yield* finished).exitCode, 143)
        yield* until(() => !pids.some(isRunning))
      })
    )

    it.effect("nothing is left of a child when the command itself is killed", () =>
      Effect.gen(function* () {
        const { pids, signal } = yield* startFamily("setInterval(() => {}, 1000)")
        yield* signal("SIGKILL")
        yield* until(() => !pids.some(isRunning))
      })
    )

    it.effect("the client that closes its end ends the child and the command with 0", () =>
      Effect.gen(function* () {
        const { closeInput, finished, pids } = yield* startFamily(
          "process.stdin.resume().on('end', () => process.exit(0))"
        )
        yield* closeInput
        assert.strictEqual((yield* finished).exitCode, 0)
        yield* until(() => !pids.some(isRunning))
      })
    )

    it.effect.each([
      { name: "a missing program", config: { command: "no-such-command" }, word: "no-such-command" },
      { name: "a command line", config: { command: "node server.js --port 1" }, word: "`args`" }
    ])("reports why the command of its child could not be started: $name", ({ config, word }) =>
      Effect.gen(function* () {
        const { exitCode, stderr, stdout } = yield* runGateway([
          "stdio",
          "child",
          "-c",
          yield* configOf(config)
        ])
        assert.strictEqual(exitCode, 1)
        assert.strictEqual(stdout, "")
        assert.match(stderr, /^The command of MCP server "child" could not be started: .*\n$/)
        assert.include(stderr, word)
      })
    )

    it.effect("a missing folder of the child is told as such", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const cwd = `${yield* files.makeTempDirectoryScoped()}/none`
        const config = yield* configOf({ command: process.execPath, cwd })
        const { stderr } = yield* runGateway(["stdio", "child", "-c", config])
        assert.include(stderr, `its folder "${cwd}" (\`cwd\`) is not there`)
      })
    )
  })
})
