import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** It calls a function, which V8 compiles when it is called. */
const bundle = 'const say = (...words) => console.log("started", ...words)\nsay(...process.argv.slice(2))'

/** The first files of the command before a bundle that only says that it was started. */
const installed = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "first-file-"))
    cpSync(fileURLToPath(new URL("../../bin", import.meta.url)), join(folder, "bin"), { recursive: true })
    mkdirSync(join(folder, "dist"))
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }')
    writeFileSync(join(folder, "dist/secure-mcp-gateway.cjs"), bundle)
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
    { encoding: "utf8", timeout: 120_000, env: { PATH: process.env["PATH"], HOME: folder, ...env } }
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

  it.effect(
    "what is kept of a command is used again, and made anew if the command has changed or it was damaged",
    () =>
      Effect.gen(function* () {
        const folder = yield* installed
        const kept = () => {
          const directory = join(folder, ".cache/secure-mcp-gateway")
          const names = readdirSync(directory)
          assert.lengthOf(names, 1)
          const path = join(directory, names[0] ?? "")
          return { path, file: statSync(path).ino, bytes: readFileSync(path) }
        }
        assert.deepStrictEqual(start(folder), isStarted)
        const first = kept()
        assert.deepStrictEqual(start(folder), isStarted)
        assert.strictEqual(kept().file, first.file, "the same file")

        for (const damaged of [
          Buffer.alloc(first.bytes.length),
          first.bytes.map((byte, at) => (at < 40 ? byte : ~byte)),
          first.bytes.subarray(0, 3)
        ]) {
          writeFileSync(first.path, damaged)
          const { file } = kept()
          assert.deepStrictEqual(start(folder), isStarted)
          assert.notStrictEqual(kept().file, file, "another file")
          assert.isAbove(kept().bytes.length, 16)
        }

        // V8 itself compares no more of a source than its length.
        writeFileSync(join(folder, "dist/secure-mcp-gateway.cjs"), bundle.replace("started", "altered"))
        assert.deepStrictEqual(start(folder), { ...isStarted, stdout: "altered serve --port 0\n" })
      })
  )

  it.effect("in a folder to which others can write, nothing is kept or used", () =>
    Effect.gen(function* () {
      const folder = yield* installed
      const directory = join(folder, "secure-mcp-gateway")
      mkdirSync(directory)
      chmodSync(directory, 0o777)
      assert.deepStrictEqual(start(folder, { env: { XDG_CACHE_HOME: folder } }), isStarted)
      assert.isEmpty(readdirSync(directory))
    })
  )

  it.effect("with NODE_DISABLE_COMPILE_CACHE=1 nothing is kept", () =>
    Effect.gen(function* () {
      const folder = yield* installed
      assert.deepStrictEqual(start(folder, { env: { NODE_DISABLE_COMPILE_CACHE: "1" } }), isStarted)
      assert.isFalse(existsSync(join(folder, ".cache")))
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
