import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundledCommand } from "./bundledCommand.ts"

/** What is published, in a folder of its own. */
const installed = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "bundle-"))
    cpSync(bundledCommand, folder, { recursive: true })
    return folder
  }),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** A preloaded module that writes at the end which modules of Node were loaded. */
const listingModules =
  'data:text/javascript,process.on("exit",()=>process.stderr.write(process.moduleLoadList.join("\\n")))'

const config = {
  servers: [{ server_name: "notes", config: { url: "http://127.0.0.1:9/mcp" } }]
}

describe("the bundle of the command", () => {
  it.effect(
    "the bundle of the command runs without node_modules, and loads neither Node's own fetch, nor undici, nor HTTP, nor TLS before it is used",
    () =>
      Effect.gen(function* () {
        const folder = yield* installed
        const file = join(folder, "gateway.json")
        writeFileSync(file, JSON.stringify(config))
        const { status, stderr, stdout } = spawnSync(
          process.execPath,
          ["--import", listingModules, join(folder, "bin/secure-mcp-gateway.cjs"), "check", "--config", file],
          { cwd: folder, encoding: "utf8", env: { HOME: folder } }
        )
        assert.deepStrictEqual([status, stdout], [0, `${file} is valid: 1 server\n`], stderr)
        const modules = stderr.split("\n")
        assert.include(modules, "NativeModule vm")
        assert.notInclude(modules, "NativeModule internal/deps/undici/undici")
        // What listens, or connects to a server, needs it, and nothing else does.
        assert.notInclude(modules, "NativeModule http")
        assert.notInclude(modules, "NativeModule http2")
        assert.notInclude(modules, "NativeModule tls")
        assert.notInclude(modules, "NativeModule assert")
        assert.notInclude(modules, "NativeModule child_process")
      })
  )

  it.effect.each(["serve", "stdio", "check"])(
    "%s uses what was compiled in its first start, whatever settings of V8 it has changed since",
    (command) =>
      Effect.gen(function* () {
        const folder = yield* installed
        const file = join(folder, "gateway.json")
        const child = { server_name: "child", config: { command: process.execPath, args: ["--eval", ""] } }
        writeFileSync(file, JSON.stringify({ servers: [child] }))
        const run = () => {
          const { status, stderr } = spawnSync(
            process.execPath,
            [
              join(folder, "bin/secure-mcp-gateway.cjs"),
              command,
              ...(command === "stdio" ? ["child"] : []),
              // Where it cannot listen, `serve` ends.
              ...(command === "serve" ? ["--host", "203.0.113.1", "--allow-unauthenticated"] : []),
              "--config",
              file
            ],
            { cwd: folder, encoding: "utf8", env: { HOME: folder } }
          )
          assert.strictEqual(status, command === "serve" ? 1 : 0, stderr)
          const kept = join(folder, ".cache/secure-mcp-gateway")
          return readdirSync(kept).map((name) => [name, statSync(join(kept, name)).ino])
        }
        const first = run()
        assert.isNotEmpty(first)
        assert.deepStrictEqual(run(), first, "the same files")
      })
  )

  it.effect("the bundle has only ASCII characters, so that Node keeps one byte for each in memory", () =>
    Effect.gen(function* () {
      const folder = join(yield* installed, "dist")
      const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
        name.endsWith(".cjs")
      )
      assert.isAbove(files.length, 1)
      for (const name of files) assert.notMatch(readFileSync(join(folder, name), "utf8"), /[^\0-\x7f]/, name)
    })
  )
})
