import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { findProgram, requireProgram, type SystemProgram } from "../src/index.ts"
import { installMissingPrograms } from "../src/programs/SystemSetup.ts"

const program: SystemProgram = {
  names: ["secure-mcp-other-name", "secure-mcp-program"],
  debianPackage: "secure-mcp-package"
}

const script = (text: string) => `#!/bin/sh\n${text}\n`

/** Writes its arguments into a file beside it. */
const recordCall = 'echo "$*" >> "${0%/*}/calls"'

/** Pretends to install the program: puts a copy of itself there. */
const pretendToInstall =
  'case "$*" in *"install "*"secure-mcp-package") cp "$0" "${0%/*}/secure-mcp-program";; esac'

/** A directory that goes before all others on the PATH, with these executables, until the test is over. */
const onPath = Effect.fnUntraced(function* (executables: Readonly<Record<string, string>>) {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  for (const [name, text] of Object.entries(executables)) {
    yield* files.writeFileString(`${directory}/${name}`, script(text), { mode: 0o755 })
  }
  yield* setVariable("PATH", `${directory}:${process.env["PATH"]}`)
  return {
    directory,
    calls: files.readFileString(`${directory}/calls`).pipe(
      Effect.map((text) => text.trim().split("\n")),
      Effect.orElseSucceed(() => [])
    )
  }
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

const install = Effect.tryPromise({
  try: () => installMissingPrograms([program]),
  catch: String
})

describe("a program of the system", () => {
  it.effect("a program is found on the PATH under any of its names", () =>
    Effect.gen(function* () {
      const { directory } = yield* onPath({ "secure-mcp-program": "exit 0" })
      assert.strictEqual(findProgram(program), `${directory}/secure-mcp-program`)
      assert.strictEqual(requireProgram(program), `${directory}/secure-mcp-program`)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("a program is not installed when a test requires it", () =>
    Effect.gen(function* () {
      const { calls } = yield* onPath({ "apt-get": `${recordCall}\n${pretendToInstall}` })
      yield* setVariable("CI", "false")
      assert.isUndefined(requireProgram(program))
      assert.deepStrictEqual(yield* calls, [])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("a missing program that a test requires is an error in CI", () =>
    Effect.gen(function* () {
      yield* setVariable("CI", "true")
      assert.throws(
        () => requireProgram(program),
        "There is no secure-mcp-other-name or secure-mcp-program on the PATH: `npm run setup:system` installs it (or: apt-get install secure-mcp-package)"
      )
    })
  )
})

describe("npm run setup:system", () => {
  it.effect("setup:system calls no apt-get when every program is there", () =>
    Effect.gen(function* () {
      const { calls } = yield* onPath({ "secure-mcp-program": "exit 0", "apt-get": recordCall })
      assert.deepStrictEqual(yield* install, [])
      assert.deepStrictEqual(yield* calls, [])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("setup:system installs a missing program for root", (test) =>
    Effect.gen(function* () {
      if (process.getuid?.() !== 0) return test.skip("needs root")
      const { calls } = yield* onPath({ "apt-get": `${recordCall}\n${pretendToInstall}` })
      assert.deepStrictEqual(yield* install, ["secure-mcp-package"])
      assert.deepStrictEqual(yield* calls, [
        "-o DPkg::Lock::Timeout=120 update",
        "-o DPkg::Lock::Timeout=120 install --yes --no-install-recommends secure-mcp-package"
      ])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("setup:system fails and names the program that a package did not install", (test) =>
    Effect.gen(function* () {
      if (process.getuid?.() !== 0) return test.skip("needs root")
      yield* onPath({ "apt-get": "exit 0" })
      assert.include(
        yield* Effect.flip(install),
        "Still missing: secure-mcp-other-name or secure-mcp-program"
      )
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
