import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { assertNoCanary, canary } from "@secure-mcp/testing"
import { makeTokenEncryption, type TokenRecord } from "@secure-mcp/token-cache"
import { keyOf, text, tokenOf } from "./fixtures.ts"
import { secretOf } from "./fileStores.ts"

const record: TokenRecord = {
  key: { ...keyOf("server"), subject: "jörg@example.com" },
  token: tokenOf("access", { refreshToken: Redacted.make("refresh"), expiresAt: 1, scope: ["a"] }),
  endsAt: 5
}

const encryptionWith = (encryptionKey: string, ...previousKeys: ReadonlyArray<string>) =>
  makeTokenEncryption({ encryptionKey: secretOf(encryptionKey), previousKeys: previousKeys.map(secretOf) })

describe("a sealed record", () => {
  it.effect("a sealed record opens at its address and shows nothing of its content", () =>
    Effect.gen(function* () {
      const encryption = yield* encryptionWith("one")
      const secret = canary("refresh-token")
      const kept = { ...record, token: tokenOf(secret, { refreshToken: Redacted.make(secret) }) }
      const sealed = yield* encryption.seal("address", kept)
      assertNoCanary(
        sealed,
        [secret, "jörg@example.com", "server"].filter((value) => value.length >= 8)
      )
      const opened = yield* encryption.open("address", sealed)
      assert.strictEqual(text(opened.token), secret)
      assert.deepStrictEqual({ ...opened, token: undefined }, { ...record, token: undefined })
    })
  )

  it.effect("each sealed record is different", () =>
    Effect.gen(function* () {
      const encryption = yield* encryptionWith("one")
      const [a, b] = [yield* encryption.seal("address", record), yield* encryption.seal("address", record)]
      assert.notDeepEqual(a.slice(24), b.slice(24))
    })
  )

  it.effect("a sealed record does not open at another address", () =>
    Effect.gen(function* () {
      const encryption = yield* encryptionWith("one")
      const sealed = yield* encryption.seal("address", record)
      const error = yield* Effect.flip(encryption.open("another address", sealed))
      assert.strictEqual(error._tag, "DamagedRecord")
    })
  )

  it.effect("a sealed record with any byte changed does not open", () =>
    Effect.gen(function* () {
      const encryption = yield* encryptionWith("one")
      const sealed = yield* encryption.seal("address", record)
      const tags = yield* Effect.forEach(sealed.keys(), (index) => {
        const changed = sealed.map((byte, at) => (at === index ? byte ^ 1 : byte))
        return Effect.map(Effect.flip(encryption.open("address", changed)), ({ _tag }) => _tag)
      })
      assert.deepStrictEqual(new Set(tags.slice(0, 4)), new Set(["DamagedRecord"]))
      assert.deepStrictEqual(new Set(tags.slice(4, 12)), new Set(["WrongEncryptionKey"]))
      assert.deepStrictEqual(new Set(tags.slice(12)), new Set(["DamagedRecord"]))
    })
  )

  it.effect("a sealed record cut off at any place is damaged", () =>
    Effect.gen(function* () {
      const encryption = yield* encryptionWith("one")
      const sealed = yield* encryption.seal("address", record)
      for (const length of sealed.keys()) {
        const error = yield* Effect.flip(encryption.open("address", sealed.subarray(0, length)))
        assert.strictEqual(error._tag, "DamagedRecord")
      }
    })
  )

  it.effect("a sealed record of a later version is not damaged", () =>
    Effect.gen(function* () {
      const encryption = yield* encryptionWith("one")
      const sealed = yield* encryption.seal("address", record)
      const later = sealed.map((byte, at) => (at === 3 ? 2 : byte))
      assert.strictEqual((yield* Effect.flip(encryption.open("address", later)))._tag, "LaterRecordVersion")
    })
  )
})

describe("encryption keys", () => {
  it.effect("earlier encryption keys open, the first one seals", () =>
    Effect.gen(function* () {
      const before = yield* encryptionWith("one")
      const after = yield* encryptionWith("two", "zero", "one")
      const old = yield* before.seal("address", record)
      assert.strictEqual(text((yield* after.open("address", old)).token), "access")
      const young = yield* after.seal("address", record)
      assert.strictEqual((yield* Effect.flip(before.open("address", young)))._tag, "WrongEncryptionKey")
      const without = yield* encryptionWith("two")
      assert.strictEqual(text((yield* without.open("address", young)).token), "access")
    })
  )

  it.effect("missing encryption keys are named, not shown", () =>
    Effect.gen(function* () {
      const sealed = yield* (yield* encryptionWith("one")).seal("address", record)
      const error = yield* Effect.flip((yield* encryptionWith("two")).open("address", sealed))
      assert.match(
        error.message,
        /^it was encrypted with another key \([0-9a-f]{16}\) than the configured one \([0-9a-f]{16}\)\. /
      )
      assert.notInclude(error.message, Redacted.value(secretOf("")))
    })
  )

  it.effect("encryption keys can have space around them", () =>
    Effect.gen(function* () {
      const secret = "mDK4lmsQ0sT9nXEOxZ2nYhc5wPC7vB1aUe3fG6iJkLo="
      const [plain, spaced] = yield* Effect.forEach([secret, ` ${secret}\n`], (value) =>
        makeTokenEncryption({ encryptionKey: Redacted.make(value) })
      )
      const sealed = yield* plain!.seal("address", record)
      assert.strictEqual(text((yield* spaced!.open("address", sealed)).token), "access")
    })
  )

  for (const [secret, problem] of [
    ["", "too short"],
    ["31-characters-are-not-sufficient", "too short"],
    ["a".repeat(64), "too easy to guess"],
    ["changeme".repeat(8), "too easy to guess"]
  ] as const)
    it.effect(`encryption keys that are ${problem} are refused unquoted ("${secret.slice(0, 8)}")`, () =>
      Effect.gen(function* () {
        const weak = Redacted.make(secret.slice(0, secret.startsWith("31") ? 31 : undefined))
        const current = yield* Effect.flip(makeTokenEncryption({ encryptionKey: weak }))
        const previous = yield* Effect.flip(
          makeTokenEncryption({ encryptionKey: secretOf("one"), previousKeys: [secretOf("two"), weak] })
        )
        assert.include(current.message, `the encryption key is ${problem}`)
        assert.include(previous.message, `previous encryption key 2 is ${problem}`)
        if (secret !== "") assert.notInclude(current.message, secret.slice(0, 8))
      })
    )
})
