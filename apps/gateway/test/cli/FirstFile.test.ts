import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** The first files of the command before a bundle that only says that it was started. */
const installed = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "first-file-"))
    cpSync(fileURLToPath(new URL("../../bin", import.meta.url)), join(folder, "bin"), { recursive: true })
    mkdirSync(join(folder, "dist"))
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }')
    writeFileSync(
      join(folder, "dist/secure-mcp-gateway.cjs"),
      'console.log("started", ...process.argv.slice(2))'
    )
    return folder
  }),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** A preloaded module that makes Node say that it is of another version. */
const sayingVersion = (version: string) =>
  `data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"${version}"}})`

const start = (
  folder: string,
  { env = {}, nodeOptions = [] }: { env?: NodeJS.ProcessEnv; nodeOptions?: ReadonlyArray<string> } = {}
) => {
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    [...nodeOptions, join(folder, "bin/secure-mcp-gateway.cjs"), "serve", "--port", "0"],
    { encoding: "utf8", timeout: 20_000, env: { PATH: process.env["PATH"], HOME: folder, ...env } }
  )
  return { status, stderr, stdout }
}

const isStarted = { status: 0, stderr: "", stdout: "started serve --port 0\n" }

describe("the first file of the command", () => {
  it.effect.each(["0.10.48", "18.20.8", "20.20.2", "22.18.0"])(
    "on Node %s the command says in one sentence which Node it needs",
    (version) =>
      Effect.gen(function* () {
        const folder = yield* installed
        const { status, stderr, stdout } = start(folder, {
          nodeOptions: ["--import", sayingVersion(version)]
        })
        assert.strictEqual(
          stderr,
          `secure-mcp-gateway needs Node.js 22.19 or later, and this is ${version}. See https://nodejs.org/download\n`
        )
        assert.deepStrictEqual([status, stdout], [1, ""])
      })
  )

  it.effect.each(["22.19.0", "22.20.1", "23.0.0", "24.1.0", "100.0.0"])(
    "on Node %s the command starts",
    (version) =>
      Effect.gen(function* () {
        const folder = yield* installed
        assert.deepStrictEqual(
          start(folder, { nodeOptions: ["--import", sayingVersion(version)] }),
          isStarted
        )
      })
  )

  it.effect("in a clone without a build the command says in one sentence what to run", () =>
    Effect.gen(function* () {
      const folder = yield* installed
      rmSync(join(folder, "dist"), { recursive: true })
      const { status, stderr, stdout } = start(folder)
      assert.match(stderr, /^secure-mcp-gateway is not built here yet: run `npm run build` [^\n]*\n$/)
      assert.deepStrictEqual([status, stdout], [1, ""])
    })
  )

  it.effect("the compiled command is kept in a folder of the user, to which nobody else can write", () =>
    Effect.gen(function* () {
      const folder = yield* installed
      assert.deepStrictEqual(start(folder), isStarted)
      const inHome = join(folder, ".cache/secure-mcp-gateway")
      assert.strictEqual(statSync(inHome).mode & 0o077, 0)
      assert.isNotEmpty(readdirSync(inHome))
      const named = join(folder, "named")
      assert.deepStrictEqual(start(folder, { env: { XDG_CACHE_HOME: named } }), isStarted)
      assert.isNotEmpty(readdirSync(join(named, "secure-mcp-gateway")))
      assert.deepStrictEqual(start(folder, { env: { XDG_CACHE_HOME: named } }), isStarted, "and again")
    })
  )

  it.effect.each(["/proc/nowhere", "/dev/null", "/dev/null/cache"])(
    "without a place for what is compiled, as %s is none, the command starts all the same",
    (directory) =>
      Effect.gen(function* () {
        const folder = yield* installed
        assert.deepStrictEqual(start(folder, { env: { XDG_CACHE_HOME: directory } }), isStarted)
      })
  )
})
