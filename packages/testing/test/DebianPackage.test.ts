import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { findProgram, requireProgram } from "../src/index.ts"

const program = {
  names: ["secure-mcp-other-name", "secure-mcp-program"],
  debianPackage: "secure-mcp-package"
}

const script = (text: string) => `#!/bin/sh\n${text}\n`

/** A directory that goes before all others on the PATH, with these executables, until the test is over. */
const onPath = Effect.fnUntraced(function* (executables: Readonly<Record<string, string>>) {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  for (const [name, text] of Object.entries(executables)) {
    yield* files.writeFileString(`${directory}/${name}`, text, { mode: 0o755 })
  }
  yield* setVariable("PATH", `${directory}:${process.env["PATH"]}`)
  return directory
})

const setVariable = (name: string, value: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = process.env[name]
      process.env[name] = value
      return before
    }),
    (before) =>
      Effect.sync(() => {
        if (before === undefined) delete process.env[name]
        else process.env[name] = before
      })
  )

describe("a program for tests", () => {
  it.effect("is taken from the PATH, under whichever of its names it is there", () =>
    Effect.gen(function* () {
      const directory = yield* onPath({ "secure-mcp-program": script("exit 0") })
      assert.strictEqual(yield* Effect.promise(() => findProgram(program)), `${directory}/secure-mcp-program`)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("is installed by whoever is root", (test) =>
    Effect.gen(function* () {
      if (process.getuid?.() !== 0) return test.skip("needs root")
      const files = yield* FileSystem.FileSystem
      const installs =
        'case "$*" in *"install "*"secure-mcp-package") cp "$0" "${0%/*}/secure-mcp-program";; esac'
      const directory = yield* onPath({ "apt-get": script(`echo "$*" >> "\${0%/*}/calls"\n${installs}`) })
      assert.strictEqual(yield* Effect.promise(() => findProgram(program)), `${directory}/secure-mcp-program`)
      const calls = (yield* files.readFileString(`${directory}/calls`)).trim().split("\n")
      assert.lengthOf(calls, 2)
      assert.match(calls[0] ?? "", /DPkg::Lock::Timeout=120 update$/)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("that cannot be had is left out, but not in CI", () =>
    Effect.gen(function* () {
      yield* onPath({ "apt-get": script("exit 100") })
      yield* setVariable("CI", "false")
      assert.strictEqual(yield* Effect.promise(() => requireProgram(program)), undefined)
      yield* setVariable("CI", "true")
      const refusal = yield* Effect.promise(() => requireProgram(program).catch((error: unknown) => error))
      assert.include(
        String(refusal),
        "put `secure-mcp-other-name` or `secure-mcp-program` on the PATH (Debian: apt-get install secure-mcp-package)"
      )
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
