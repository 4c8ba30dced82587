import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { tokenKeyString } from "@secure-mcp/oauth-core"
import { assertNoCanary, canary } from "@secure-mcp/testing"
import { tokenStoreContract } from "@secure-mcp/token-cache/testing"
import { createHash } from "node:crypto"
import { dirname } from "node:path"
import {
  contentsOf,
  files,
  layerStore,
  makeDirectory,
  namesIn,
  openStore,
  recordLog,
  secretOf
} from "./fileStores.ts"
import { keyOf, text, tokenOf } from "./fixtures.ts"

const forever = Duration.infinity

describe("FileTokenStore.layer with a key file", () => {
  for (const { effect, name } of tokenStoreContract)
    it.effect(name, () => Effect.provide(effect, layerStore()))
})

describe("FileTokenStore.layer with a configured key", () => {
  for (const { effect, name } of tokenStoreContract)
    it.effect(name, () => Effect.provide(effect, layerStore({ encryptionKey: secretOf("one") })))
})

describe("the files of the file store", () => {
  it.effect("the files outlive the store", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      yield* (yield* openStore({ directory })).set(keyOf("a"), tokenOf("a"), forever)
      const later = yield* openStore({ directory })
      assert.strictEqual(text(yield* later.get(keyOf("a"))), "a")
      assert.deepStrictEqual(
        (yield* later.list).map(({ key }) => key),
        [keyOf("a")]
      )
    }).pipe(Effect.provide(files))
  )

  it.effect("the files are readable by their owner only", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const store = yield* openStore({ directory })
      yield* store.set(keyOf("a"), tokenOf("a"), forever)
      yield* store.lease(keyOf("a"), Duration.minutes(1))
      const { stat } = yield* FileSystem.FileSystem
      for (const folder of [directory, `${directory}/leases`])
        assert.strictEqual((yield* stat(folder)).mode & 0o777, 0o700)
      const contents = yield* contentsOf(directory)
      assert.strictEqual(contents.length, 3)
      for (const { name } of contents)
        assert.strictEqual((yield* stat(`${directory}/${name}`)).mode & 0o777, 0o600)
    }).pipe(Effect.provide(files))
  )

  it.effect("the files are named after the hash of the key", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      yield* (yield* openStore({ directory })).set(keyOf("a"), tokenOf("a"), forever)
      const hash = createHash("sha256")
        .update(tokenKeyString(keyOf("a")))
        .digest("hex")
      assert.deepStrictEqual(yield* namesIn(directory), [`${hash}.token`])
    }).pipe(Effect.provide(files))
  )

  it.effect("the files contain no secret and no name in plain text", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const secrets = ["access", "refresh", "client-secret", "subject", "server"].map(canary)
      const [access = "", refresh = "", clientSecret = "", subject = "", server = ""] = secrets
      const token = tokenOf(access, {
        refreshToken: Redacted.make(refresh),
        grantedTo: { clientId: "client", clientSecret: Redacted.make(clientSecret) }
      })
      const store = yield* openStore({ directory })
      yield* store.set({ ...keyOf(server), subject }, token, forever)
      assertNoCanary(yield* contentsOf(directory), secrets)
      assert.strictEqual((yield* namesIn(directory)).length, 1)
    }).pipe(Effect.provide(files))
  )

  it.effect("the files are in the user's state directory unless another one is configured", () =>
    Effect.gen(function* () {
      const home = yield* makeDirectory
      const environment = ConfigProvider.fromEnv({ env: { XDG_STATE_HOME: home } })
      const store = yield* Effect.provideService(openStore({}), ConfigProvider.ConfigProvider, environment)
      yield* store.set(keyOf("a"), tokenOf("a"), forever)
      assert.strictEqual((yield* namesIn(`${home}/secure-mcp-gateway/tokens`)).length, 1)
    }).pipe(Effect.provide(files))
  )

  it.effect("the files are deleted when their time to live is over, also those of unused keys", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const store = yield* openStore({ directory })
      yield* store.set(keyOf("asked"), tokenOf("a"), Duration.seconds(1))
      yield* store.set(keyOf("listed"), tokenOf("b"), Duration.seconds(1))
      yield* store.set(keyOf("kept"), tokenOf("c"), forever)
      yield* TestClock.adjust("1 second")
      assert.isUndefined(text(yield* store.get(keyOf("asked"))))
      assert.strictEqual((yield* namesIn(directory)).length, 2)
      yield* store.list
      assert.strictEqual((yield* namesIn(directory)).length, 1)
    }).pipe(Effect.provide(files))
  )

  it.effect("temporary files of a crashed process are deleted by one that starts an hour later", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const fs = yield* FileSystem.FileSystem
      yield* openStore({ directory })
      const uuid = "01234567-89ab-4def-8123-456789abcdef"
      yield* fs.writeFileString(`${directory}/tmp-0-${uuid}`, "left over")
      yield* fs.writeFileString(`${directory}/tmp-${60 * 60 * 1000}-${uuid}`, "being written")
      yield* TestClock.adjust("61 minutes")
      yield* openStore({ directory })
      assert.deepStrictEqual(yield* namesIn(directory), [`tmp-${60 * 60 * 1000}-${uuid}`])
    }).pipe(Effect.provide(files))
  )
})

describe("what the file store remembers of removals and leases", () => {
  const leasesIn = (directory: string) =>
    FileSystem.FileSystem.use((fs) => fs.readDirectory(`${directory}/leases`))

  /** Opens a store some time after a token was removed, and gives how many removals are remembered. */
  const removalsAfter = Effect.fnUntraced(function* (time: Duration.Input) {
    const directory = yield* makeDirectory
    const store = yield* openStore({ directory })
    yield* store.set(keyOf("a"), tokenOf("a"), forever)
    yield* store.set(keyOf("b"), tokenOf("b"), forever)
    yield* store.remove(keyOf("a"))
    yield* TestClock.adjust(time)
    const later = yield* openStore({ directory })
    assert.strictEqual(text(yield* later.get(keyOf("b"))), "b")
    return (yield* leasesIn(directory)).filter((name) => name.endsWith(".removed")).length
  })

  it.effect("a removal is forgotten by a process that starts more than thirty days later", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* removalsAfter("30 days"), 1)
      assert.strictEqual(yield* removalsAfter(Duration.sum(Duration.days(30), Duration.millis(1))), 0)
    }).pipe(Effect.provide(files))
  )

  it.effect("a removal that cannot be read is dropped", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const fs = yield* FileSystem.FileSystem
      yield* openStore({ directory })
      const name = `${"0".repeat(64)}.removed`
      for (const content of ["{", "{}"]) {
        yield* fs.writeFileString(`${directory}/leases/${name}`, content)
        yield* openStore({ directory })
        assert.deepStrictEqual(yield* leasesIn(directory), [])
      }
    }).pipe(Effect.provide(files))
  )

  it.effect("a lease is forgotten by a process that starts more than a day after its end", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const fs = yield* FileSystem.FileSystem
      const store = yield* openStore({ directory })
      assert.isDefined(yield* store.lease(keyOf("a"), Duration.minutes(1)))
      yield* fs.writeFileString(`${directory}/leases/of-a-person`, "a note")
      yield* TestClock.adjust(Duration.sum(Duration.days(1), Duration.minutes(1)))
      yield* openStore({ directory })
      assert.lengthOf(yield* leasesIn(directory), 2)
      yield* TestClock.adjust("1 milli")
      yield* openStore({ directory })
      assert.deepStrictEqual(yield* fs.readDirectory(`${directory}/leases`), ["of-a-person"])
    }).pipe(Effect.provide(files))
  )
})

describe("the folder of the file store", () => {
  it.effect("the folder is closed to other users, and its owner is warned", () => {
    const log = recordLog()
    return Effect.gen(function* () {
      const directory = yield* makeDirectory
      const fs = yield* FileSystem.FileSystem
      yield* fs.makeDirectory(directory, { recursive: true })
      yield* fs.chmod(directory, 0o755)
      yield* openStore({ directory })
      assert.strictEqual((yield* fs.stat(directory)).mode & 0o777, 0o700)
      assert.deepStrictEqual(log.lines, [`Warn ${directory} was open to other users; its mode is 0700 now`])
      yield* openStore({ directory })
      assert.strictEqual(log.lines.length, 1)
    }).pipe(Effect.provide([files, log.layer]))
  })

  it.effect("a folder that cannot be created is an error when the layer is built", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const fs = yield* FileSystem.FileSystem
      yield* fs.makeDirectory(dirname(directory))
      yield* fs.writeFileString(directory, "a file")
      const error = yield* Effect.flip(openStore({ directory }))
      assert.strictEqual(
        error.message,
        `the token store cannot be used: ${directory} could not be made (EEXIST)`
      )
    }).pipe(Effect.provide(files))
  )

  it.effect("the check finds a missing folder, and leaves nothing behind otherwise", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const fs = yield* FileSystem.FileSystem
      const store = yield* openStore({ directory })
      yield* store.checkWritable
      assert.deepStrictEqual(yield* namesIn(directory), [])
      yield* fs.remove(directory, { recursive: true })
      const error = yield* Effect.flip(store.checkWritable)
      assert.match(error.problem, /could not be written \(ENOENT\)\. Check that the folder is there$/)
      yield* Effect.flip(store.set(keyOf("a"), tokenOf("a"), forever))
    }).pipe(Effect.provide(files))
  )
})

describe("the key file", () => {
  it.effect("the key file is created once and has 32 random bytes", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const { readFileString } = yield* FileSystem.FileSystem
      yield* openStore({ directory })
      const key = yield* readFileString(`${directory}/key`)
      assert.strictEqual(Buffer.from(key, "base64").length, 32)
      yield* openStore({ directory })
      assert.strictEqual(yield* readFileString(`${directory}/key`), key)
    }).pipe(Effect.provide(files))
  )

  it.effect("the key file is the same for processes that start at once", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const stores = yield* Effect.forEach(Array.from({ length: 20 }), () => openStore({ directory }), {
        concurrency: "unbounded"
      })
      for (const [index, store] of stores.entries())
        yield* store.set(keyOf(String(index)), tokenOf(String(index)), forever)
      for (const store of stores) assert.strictEqual((yield* store.list).length, 20)
      assert.strictEqual((yield* namesIn(directory)).length, 20)
    }).pipe(Effect.provide(files))
  )

  it.effect("the key file is not created when a key is configured", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      yield* openStore({ directory, encryptionKey: secretOf("one") })
      assert.isFalse(yield* FileSystem.FileSystem.use((fs) => fs.exists(`${directory}/key`)))
    }).pipe(Effect.provide(files))
  )

  it.effect("a key file of 32 characters with a line end is a key, and one of 31 is none", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const fs = yield* FileSystem.FileSystem
      yield* fs.makeDirectory(directory, { recursive: true, mode: 0o700 })
      const key = "0123456789abcdefghijklmnopqrstuv"
      yield* fs.writeFileString(`${directory}/key`, `${key.slice(1)}\n`)
      assert.strictEqual((yield* Effect.flip(openStore({ directory })))._tag, "Misconfigured")
      yield* fs.writeFileString(`${directory}/key`, `${key}\n`)
      const store = yield* openStore({ directory })
      yield* store.set(keyOf("a"), tokenOf("a"), forever)
      const configured = yield* openStore({ directory, encryptionKey: Redacted.make(key) })
      assert.strictEqual(text(yield* configured.get(keyOf("a"))), "a")
    }).pipe(Effect.provide(files))
  )

  it.effect("an empty key file is never replaced", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const fs = yield* FileSystem.FileSystem
      yield* fs.makeDirectory(directory, { recursive: true, mode: 0o700 })
      yield* fs.writeFileString(`${directory}/key`, "")
      const error = yield* Effect.flip(openStore({ directory }))
      assert.include(error.message, `the key file ${directory}/key holds no key`)
      assert.strictEqual(yield* fs.readFileString(`${directory}/key`), "")
    }).pipe(Effect.provide(files))
  )
})
