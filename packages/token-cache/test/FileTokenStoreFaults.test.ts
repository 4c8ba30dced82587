import type { StoreUnavailable } from "@secure-mcp/oauth-core"
import { assert, describe, it } from "@effect/vitest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { systemError } from "effect/PlatformError"
import * as Result from "effect/Result"
import { openPrivateDirectory } from "../src/file/PrivateDirectory.ts"
import {
  contentsOf,
  files,
  makeDirectory,
  namesIn,
  onlyFile,
  openStore,
  recordLog,
  secretOf
} from "./fileStores.ts"
import { keyOf, text, tokenOf } from "./fixtures.ts"

const forever = Duration.infinity

describe("another key", () => {
  it.effect("a new key reads what an earlier one has sealed, and replaces it with the next write", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const [one, two] = [secretOf("one"), secretOf("two")]
      const before = yield* openStore({ directory, encryptionKey: one })
      yield* before.set(keyOf("a"), tokenOf("a"), forever)
      const rotated = yield* openStore({ directory, encryptionKey: two, previousKeys: [one] })
      assert.strictEqual(text(yield* rotated.get(keyOf("a"))), "a")
      yield* rotated.set(keyOf("a"), tokenOf("b"), forever)
      const after = yield* openStore({ directory, encryptionKey: two })
      assert.strictEqual(text(yield* after.get(keyOf("a"))), "b")
    }).pipe(Effect.provide(files))
  )

  it.effect("a missing key is a clear error for every operation, and changes nothing", () => {
    const log = recordLog()
    return Effect.gen(function* () {
      const directory = yield* makeDirectory
      const right = yield* openStore({ directory, encryptionKey: secretOf("one") })
      yield* right.set(keyOf("a"), tokenOf("a"), forever)
      const path = yield* onlyFile(directory)
      const before = yield* contentsOf(directory)
      const wrong = yield* openStore({ directory, encryptionKey: secretOf("two") })
      for (const operation of [
        wrong.get(keyOf("a")),
        wrong.set(keyOf("a"), tokenOf("b"), forever),
        wrong.remove(keyOf("a")),
        wrong.list
      ] satisfies ReadonlyArray<Effect.Effect<unknown, StoreUnavailable>>) {
        const error = yield* Effect.flip(Effect.asVoid<unknown, StoreUnavailable, never>(operation))
        assert.strictEqual(error._tag, "StoreUnavailable")
        assert.include(error.problem, `${path}: it was encrypted with another key`)
      }
      assert.deepStrictEqual(yield* contentsOf(directory), before)
      assert.deepStrictEqual(log.lines, [])
      assert.strictEqual(text(yield* right.get(keyOf("a"))), "a")
    }).pipe(Effect.provide([files, log.layer]))
  })

  it.effect("a token with a missing key does not affect other tokens", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const other = yield* openStore({ directory, encryptionKey: secretOf("one") })
      yield* other.set(keyOf("theirs"), tokenOf("a"), forever)
      const store = yield* openStore({ directory, encryptionKey: secretOf("two") })
      yield* store.set(keyOf("ours"), tokenOf("b"), forever)
      assert.strictEqual(text(yield* store.get(keyOf("ours"))), "b")
    }).pipe(Effect.provide(files))
  )
})

describe("a damaged file", () => {
  const damages: ReadonlyArray<readonly [string, (content: Uint8Array) => Uint8Array]> = [
    ["empty", () => new Uint8Array()],
    ["cut off", (content) => content.subarray(0, content.length - 7)],
    ["foreign", () => new TextEncoder().encode('{"access_token":"mine"}')],
    ["changed", (content) => content.map((byte, at) => (at === 40 ? byte ^ 8 : byte))]
  ]
  for (const [how, damage] of damages)
    for (const operation of ["get", "set", "remove", "list"] as const)
      it.effect(`a damaged file (${how}) is set aside by ${operation}, with a warning`, () => {
        const log = recordLog()
        return Effect.gen(function* () {
          const directory = yield* makeDirectory
          const fs = yield* FileSystem.FileSystem
          const store = yield* openStore({ directory })
          yield* store.set(keyOf("a"), tokenOf("a"), forever)
          const path = yield* onlyFile(directory)
          const damaged = damage(yield* fs.readFile(path))
          yield* fs.writeFile(path, damaged)
          if (operation === "set") yield* store.set(keyOf("a"), tokenOf("b"), forever)
          else if (operation === "list") assert.deepStrictEqual(yield* store.list, [])
          else assert.isUndefined(text(yield* store[operation](keyOf("a"))))
          const names = (yield* namesIn(directory)).filter((name) => name.includes(".damaged-"))
          assert.strictEqual(names.length, 1)
          assert.deepStrictEqual(yield* fs.readFile(`${directory}/${names[0]}`), damaged)
          assert.strictEqual(log.lines.length, 1)
          assert.include(log.lines[0], `${path} cannot be used: it `)
          assert.include(log.lines[0], `It was set aside as ${directory}/${names[0]}`)
          assert.strictEqual(text(yield* store.get(keyOf("a"))), operation === "set" ? "b" : undefined)
        }).pipe(Effect.provide([files, log.layer]))
      })

  it.effect("a file that replaced another key's file counts as damaged", () => {
    const log = recordLog()
    return Effect.gen(function* () {
      const directory = yield* makeDirectory
      const fs = yield* FileSystem.FileSystem
      const store = yield* openStore({ directory })
      yield* store.set(keyOf("a"), tokenOf("a"), forever)
      const a = yield* onlyFile(directory)
      yield* store.set(keyOf("b"), tokenOf("b"), forever)
      const paths = (yield* namesIn(directory)).map((name) => `${directory}/${name}`)
      const b = paths.find((path) => path !== a) ?? ""
      yield* fs.rename(a, `${directory}/a`)
      yield* fs.rename(b, a)
      yield* fs.rename(`${directory}/a`, b)
      assert.isUndefined(text(yield* store.get(keyOf("a"))))
      assert.isUndefined(text(yield* store.get(keyOf("b"))))
      assert.strictEqual(log.lines.length, 2)
    }).pipe(Effect.provide([files, log.layer]))
  })

  for (const links of [true, false])
    it.effect(`setting a damaged file aside does not move its replacement (links: ${links})`, () =>
      Effect.gen(function* () {
        const directory = yield* makeDirectory
        const fs = yield* FileSystem.FileSystem
        const encryptionKey = secretOf("one")
        const writer = yield* openStore({ directory, encryptionKey })
        yield* writer.set(keyOf("a"), tokenOf("a"), forever)
        const path = yield* onlyFile(directory)
        yield* fs.writeFileString(path, "torn")
        const replace = Effect.andThen(
          fs.remove(path),
          Effect.orDie(writer.set(keyOf("a"), tokenOf("b"), forever))
        )
        let replaced = false
        const reader = yield* Effect.provideService(
          openStore({ directory, encryptionKey }),
          FileSystem.FileSystem,
          {
            ...fs,
            readFile: (read) =>
              Effect.tap(fs.readFile(read), () => {
                if (read !== path || replaced) return Effect.void
                replaced = true
                return replace
              }),
            link: (...args) => (links ? fs.link(...args) : Effect.fail(failure("link", "EPERM")))
          }
        )
        assert.strictEqual(text(yield* reader.get(keyOf("a"))), "b")
        assert.strictEqual(yield* onlyFile(directory), path)
      }).pipe(Effect.provide(files))
    )
})

describe("a write", () => {
  it.effect("a write is on the disk before it has its name, and its name before it ends", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const fs = yield* FileSystem.FileSystem
      const steps: Array<string> = []
      const nameOf = (path: string) =>
        path.startsWith(`${directory}/`)
          ? path.replace(/^.*\/(tmp|[0-9a-f]{64}).*$/, "$1").slice(0, 3)
          : "folder"
      const step = (did: string, path: string) => Effect.sync(() => steps.push(`${did} ${nameOf(path)}`))
      const traced: FileSystem.FileSystem = {
        ...fs,
        open: (path, options) =>
          Effect.map(fs.open(path, options), (file) => ({
            ...file,
            writeAll: (bytes) => Effect.tap(file.writeAll(bytes), step("write", path)),
            sync: Effect.tap(file.sync, step("sync", path))
          })),
        rename: (from, to) => Effect.tap(fs.rename(from, to), step("rename", from))
      }
      const store = yield* Effect.provideService(
        openStore({ directory, encryptionKey: secretOf("one") }),
        FileSystem.FileSystem,
        traced
      )
      yield* store.set(keyOf("a"), tokenOf("a"), forever)
      assert.deepStrictEqual(steps, ["write tmp", "sync tmp", "rename tmp", "sync folder"])
    }).pipe(Effect.provide(files))
  )

  for (const step of ["open", "rename"] as const)
    it.effect(`a failed write (${step}) leaves the token before it and nothing else`, () =>
      Effect.gen(function* () {
        const directory = yield* makeDirectory
        const fs = yield* FileSystem.FileSystem
        let full = false
        const store = yield* Effect.provideService(openStore({ directory }), FileSystem.FileSystem, {
          ...fs,
          [step]: (...args: [string, never]) =>
            full ? Effect.fail(failure(step, "ENOSPC")) : fs[step](...args)
        })
        yield* store.set(keyOf("a"), tokenOf("a"), forever)
        full = true
        const error = yield* Effect.flip(store.set(keyOf("a"), tokenOf("b"), forever))
        assert.match(error.problem, /could not be written \(ENOSPC\)$/)
        assert.strictEqual(text(yield* store.get(keyOf("a"))), "a")
        assert.strictEqual((yield* namesIn(directory)).length, 1)
      }).pipe(Effect.provide(files))
    )
})

describe("what the file system refuses", () => {
  const refusals = [
    ["the folder is not made", "makeDirectory", "could not be made"],
    ["the folder is not looked at", "stat", "could not be read"],
    ["an open folder is not closed", "chmod", "could not be closed to other users"],
    ["the names are not read", "readDirectory", "could not be read"],
    ["a file is not read", "readFile", "could not be read"],
    ["a file is not opened", "open", "could not be written"],
    ["a file does not get its name", "rename", "could not be written"]
  ] as const
  const advices = [
    ["Unknown", "EIO", " (EIO)"],
    ["PermissionDenied", "EACCES", " (EACCES). Check its owner and its mode"],
    ["PermissionDenied", undefined, " (PermissionDenied). Check its owner and its mode"]
  ] as const
  for (const [what, method, problem] of refusals)
    it.effect(`if ${what}, the error says which, what for and what to check`, () =>
      Effect.gen(function* () {
        const directory = yield* makeDirectory
        const fs = yield* FileSystem.FileSystem
        yield* fs.makeDirectory(directory, { recursive: true })
        if (method === "chmod") yield* fs.chmod(directory, 0o755)
        for (const [tag, code, end] of advices) {
          const refuse = () => Effect.fail(failure(method, code, tag))
          const error = yield* Effect.flip(
            Effect.provideService(
              openPrivateDirectory(directory).pipe(
                Effect.tap((opened) => opened.read("one")),
                Effect.andThen((opened) => opened.write("one", new Uint8Array())),
                Effect.provide(SecureRandom.layerWebCrypto)
              ),
              FileSystem.FileSystem,
              { ...fs, [method]: refuse }
            )
          )
          assert.isTrue(error.problem.startsWith(directory), error.problem)
          assert.isTrue(error.problem.endsWith(`${problem}${end}`), error.problem)
        }
        assert.deepStrictEqual(
          (yield* fs.readDirectory(directory)).filter((name) => name.startsWith("tmp-")),
          []
        )
      }).pipe(Effect.provide(files))
    )

  const claims = [
    ["it is not moved", "rename", "claim", "one could not be moved (EIO)"],
    ["it is not read", "readFile", "claim", "could not be read (EIO)"],
    ["it is not removed", "remove", "remove", "could not be removed (EIO)"],
    ["it is not set aside", "rename", "setAside", "could not be moved (EIO)"],
    ["it is not put back", "link rename", "putBack", "could not be moved (EIO)"]
  ] as const
  for (const [what, methods, operation, problem] of claims)
    it.effect(`a claimed file of which ${what} is an error that says so`, () =>
      Effect.gen(function* () {
        const directory = yield* makeDirectory
        const fs = yield* FileSystem.FileSystem
        let isBroken = false
        const fail = (method: string) => Effect.fail(failure(method, "EIO"))
        const isRefused = (method: string) => isBroken && methods.split(" ").includes(method)
        yield* fs.makeDirectory(directory, { recursive: true, mode: 0o700 })
        yield* fs.writeFileString(`${directory}/one`, "content")
        const opened = yield* Effect.provideService(
          Effect.provide(openPrivateDirectory(directory), SecureRandom.layerWebCrypto),
          FileSystem.FileSystem,
          {
            ...fs,
            rename: (from, to) =>
              Effect.suspend(() => (isRefused("rename") ? fail("rename") : fs.rename(from, to))),
            link: (from, to) => Effect.suspend(() => (isRefused("link") ? fail("link") : fs.link(from, to))),
            remove: (path, options) =>
              Effect.suspend(() => (isRefused("remove") ? fail("remove") : fs.remove(path, options))),
            readFile: (path) =>
              Effect.suspend(() => (isRefused("readFile") ? fail("readFile") : fs.readFile(path)))
          }
        )
        isBroken = operation === "claim"
        const claimed = yield* Effect.result(opened.claim("one"))
        isBroken = true
        const outcome: Result.Result<unknown, StoreUnavailable> =
          Result.isFailure(claimed) || claimed.success === undefined || operation === "claim"
            ? claimed
            : yield* Effect.result<unknown, StoreUnavailable, never>(claimed.success[operation])
        const message = Result.isFailure(outcome) ? outcome.failure.problem : "no error"
        assert.include(message, problem)
        assert.isTrue(message.startsWith(directory))
        if (operation === "claim") assert.deepStrictEqual(yield* fs.readDirectory(directory), ["one"])
      }).pipe(Effect.provide(files))
    )
})

/** What the file system fails with. */
const failure = (method: string, code: string | undefined, tag: "Unknown" | "PermissionDenied" = "Unknown") =>
  systemError({
    _tag: tag,
    module: "FileSystem",
    method,
    cause: Object.assign(new Error("a fault"), code === undefined ? {} : { code })
  })
