import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import type crossSpawn from "cross-spawn"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { createRequire } from "node:module"
import { text } from "node:stream/consumers"
import { childEnvironment } from "../../../../packages/gateway-server/src/child/ChildCommand.ts"
import { ChildProcesses } from "../../../../packages/gateway-server/src/child/ChildProcesses.ts"
import { currentSystem } from "../../../../packages/gateway-server/src/child/ProcessSystem.ts"
import { processTree } from "../../../../packages/gateway-server/src/child/ProcessTree.ts"

/** `cross-spawn` as it is on Windows: it looks at the platform when it is loaded. */
const windowsSpawn = Effect.sync((): typeof crossSpawn => {
  const require = createRequire(import.meta.url)
  const forget = () => {
    for (const name of Object.keys(require.cache)) delete require.cache[name]
  }
  const platform = Object.getOwnPropertyDescriptor(process, "platform") ?? {}
  forget()
  Object.defineProperty(process, "platform", { ...platform, value: "win32" })
  const spawn: typeof crossSpawn = require("cross-spawn")
  // Parts of it are loaded with the first command.
  spawn.sync("no-such-program")
  Object.defineProperty(process, "platform", platform)
  forget()
  return spawn
})

/** A folder with `npx.CMD`, and a command interpreter that says what it was given. */
const windowsFolder = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const folder = yield* files.makeTempDirectoryScoped()
  yield* files.writeFileString(`${folder}/npx.CMD`, "")
  const comspec = `${folder}/cmd`
  const script = `#!${process.execPath}\nconsole.log(JSON.stringify(process.argv.slice(2)))`
  yield* files.writeFileString(comspec, script, { mode: 0o755 })
  const before = process.env["comspec"]
  yield* Effect.acquireRelease(
    Effect.sync(() => (process.env["comspec"] = comspec)),
    () =>
      Effect.sync(() => {
        if (before === undefined) delete process.env["comspec"]
        else process.env["comspec"] = before
      })
  )
  return folder
})

/** What starts children on Windows. */
const windowsProcesses = Effect.gen(function* () {
  const system = { ...currentSystem, platform: "win32" as const, spawn: yield* windowsSpawn }
  return Context.get(yield* Layer.build(ChildProcesses.layerSystem(system)), ChildProcesses)
})

/** Windows finds `Path` where `PATH` is asked for. */
const commandIn = (folder: string, command: string, args: ReadonlyArray<string> = []) => ({
  command,
  args,
  env: { Path: Redacted.make(folder) }
})

describe("children on Windows", () => {
  it.live("a name without an ending starts the `.cmd` of that name, with its arguments quoted for it", () =>
    Effect.gen(function* () {
      const folder = yield* windowsFolder
      const processes = yield* windowsProcesses
      const child = yield* processes.start(
        "child",
        commandIn(folder, "npx", ["-y", "a & b", 'say "hi"', "%PATH%"]),
        "pipe"
      )
      const stdout = child.process.stdout ?? assert.fail("no output")
      const said: unknown = JSON.parse(yield* Effect.promise(() => text(stdout)))
      assert.deepStrictEqual(said, [
        "/d",
        "/s",
        "/c",
        String.raw`"npx ^"-y^" ^"a^ ^&^ b^" ^"say^ \^"hi\^"^" ^"^%PATH^%^""`
      ])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("a missing program and a command line are told as on other systems", () =>
    Effect.gen(function* () {
      const folder = yield* windowsFolder
      const processes = yield* windowsProcesses
      const problem = (command: string) =>
        Effect.map(
          Effect.flip(processes.start("child", commandIn(folder, command), "pipe")),
          ({ message }) => message
        )
      assert.include(yield* problem("no-such-program"), '"no-such-program" is in no folder of PATH')
      assert.include(yield* problem("npx -y server"), "`args`")
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it("a variable of the configuration replaces the gateway's own, in whatever case it is written", () => {
    const env = { Path: Redacted.make("C:\\tools") }
    assert.hasAnyKeys(childEnvironment({ env }, "linux"), ["PATH"])
    assert.doesNotHaveAnyKeys(childEnvironment({ env }, "win32"), ["PATH"])
    assert.strictEqual(childEnvironment({ env }, "win32")["Path"], env.Path)
  })

  it("a child is ended with all that it has started, and no other process with its number later", () => {
    const runs: Array<ReadonlyArray<string>> = []
    const system = {
      ...currentSystem,
      platform: "win32" as const,
      kill: () => assert.fail("Windows has no process groups"),
      run: (command: string, args: ReadonlyArray<string>) => void runs.push([command, ...args])
    }
    const child = { pid: 1234, exitCode: null, signalCode: null }
    const tree = processTree(child, system)
    assert.isTrue(tree.isAlive())
    tree.signal("SIGTERM")
    assert.deepStrictEqual(runs, [["taskkill", "/pid", "1234", "/T", "/F"]])
    const ended = processTree({ ...child, exitCode: 1 }, system)
    assert.isFalse(ended.isAlive())
    ended.signal("SIGKILL")
    assert.lengthOf(runs, 1)
  })
})
