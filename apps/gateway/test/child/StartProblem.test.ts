import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import type { ChildCommand } from "../../../../packages/gateway-server/src/child/ChildCommand.ts"
import { ChildLayer, startChild } from "./startedChild.ts"

/** A folder with a file that is no program, a script whose interpreter is missing, and an empty folder. */
const folder = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const path = yield* files.makeTempDirectoryScoped()
  yield* files.writeFileString(`${path}/plain`, "#!/bin/sh\n", { mode: 0o644 })
  yield* files.writeFileString(`${path}/script`, "#!/no/such/interpreter\n", { mode: 0o755 })
  yield* files.makeDirectory(`${path}/empty`)
  return path
})

const problemOf = (command: Partial<ChildCommand>) =>
  Effect.map(
    Effect.flip(startChild({ command: "node", args: [], env: {}, ...command })),
    ({ message }) => message
  )

describe("a command that cannot be started", () => {
  layer(ChildLayer, { excludeTestServices: true })((it) => {
    it.effect.each<readonly [string, (path: string) => Partial<ChildCommand>, ReadonlyArray<string>]>([
      ["a missing program", () => ({ command: "no-such-command" }), ['"no-such-command"', "PATH"]],
      ["a missing file", (path) => ({ command: `${path}/none` }), ["there is no file", "/none"]],
      [
        "a command line",
        () => ({ command: "node server.js --token the-secret" }),
        ['"command": "node"', "`args`"]
      ],
      ["a missing folder", (path) => ({ cwd: `${path}/none` }), ["folder", "/none", "`cwd`"]],
      ["a file as a folder", (path) => ({ cwd: `${path}/plain` }), ["is no folder", "`cwd`"]],
      ["a file that is not executable", (path) => ({ command: `${path}/plain` }), ["chmod +x", "/plain"]],
      ["a folder as a program", (path) => ({ command: `${path}/empty` }), ["is a folder", "/empty"]],
      ["a script whose interpreter is missing", (path) => ({ command: `${path}/script` }), ["#!"]],
      [
        "arguments that are too long",
        () => ({ args: Array.from({ length: 40 }, () => "x".repeat(100_000)) }),
        ["too long"]
      ],
      ["an argument with NUL", () => ({ args: ["secret\0"] }), ["NUL"]]
    ])("the error says what is wrong: %s", ([, command, words]) =>
      Effect.gen(function* () {
        const problem = yield* problemOf(command(yield* folder))
        assert.match(problem, /^The command of MCP server "child" could not be started: /)
        for (const word of words) assert.include(problem, word)
        assert.notInclude(problem, "secret")
      })
    )

    it.effect("a program is looked for in the PATH of the child", () =>
      Effect.gen(function* () {
        const path = yield* folder
        const command = { command: "plain", env: { PATH: Redacted.make(path) } }
        assert.include(yield* problemOf(command), `"${path}/plain" is not executable`)
      })
    )
  })
})
