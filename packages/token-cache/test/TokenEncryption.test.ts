import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { assertNoCanary, canary } from "@secure-mcp/testing"
import { encryptionKeyProblem, makeTokenEncryption, TokenRecord } from "@secure-mcp/token-cache"
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

/** A record at "address", sealed with `secretOf("one")` when the first version of the format was published. */
const firstVersion = [
  "U01UAWoKD4LYKHtclbD05ZIzDjxsmXYSGGX8ZwSIrAnBcqQN7xvJkBN76mOSd6IxV/l9OyEX/Wa3kmbl/hqKDavrE/+H+U3iI+ql",
  "fawx1rExsyeKvKgPfRzeqggEkJaigMXtLuOft15brKOpV9ULUB9x1nCbqcwKzTYMSC/y/ub56I91SWa3XLnYXyxjCAcZyrBvmqa2",
  "v6rZo2KVTUmCIPIF+78Omm5//3qqU3M4AkX6jsXbcuXgLdhHnJkUjCeAPNupcizxibCAVyo0Z4nKUgup7rOgvPWM1jQEvSgA8tVt",
  "kQghyoP4Lgogra4ZZoLKv/+V6g=="
].join("")

describe("the format of a sealed record", () => {
  it.effect("a record that an earlier version of this package has sealed still opens", () =>
    Effect.gen(function* () {
      const encryption = yield* encryptionWith("one")
      const opened = yield* encryption.open("address", Buffer.from(firstVersion, "base64"))
      assert.strictEqual(text(opened.token), "access")
      assert.deepStrictEqual(opened.key, keyOf("server"))
      assert.strictEqual(opened.revision, 3)
    })
  )

  it("a record that does not say whose the token is counts as that of a person", () => {
    const encoded = Schema.encodeSync(TokenRecord)(record)
    const { personal: _, ...key } = { ...encoded.key }
    assert.isTrue(Schema.decodeUnknownSync(TokenRecord)({ ...encoded, key }).key.personal)
  })

  const useless = [
    ["nothing", () => new Uint8Array(), "it is not a token record"],
    ["another beginning", (sealed: Uint8Array) => sealed.with(1, 0), "it is not a token record"],
    [
      "an earlier version than the first",
      (sealed: Uint8Array) => sealed.with(3, 0),
      "it is not a token record"
    ],
    ["the beginning alone", (sealed: Uint8Array) => sealed.subarray(0, 3), "it ends too early"],
    ["a part of the nonce", (sealed: Uint8Array) => sealed.subarray(0, 23), "it ends too early"],
    [
      "nothing encrypted",
      (sealed: Uint8Array) => sealed.subarray(0, 24),
      "it was changed, or moved from another place"
    ],
    [
      "another byte encrypted",
      (sealed: Uint8Array) => sealed.with(30, 0),
      "it was changed, or moved from another place"
    ],
    [
      "a later version",
      (sealed: Uint8Array) => sealed.with(3, 7),
      "it was written by a later version of this program (record version 7)"
    ]
  ] as const
  it.effect.each(useless)("a record with %s says what is wrong with it", ([, change, problem]) =>
    Effect.gen(function* () {
      const encryption = yield* encryptionWith("one")
      const sealed = new Uint8Array(Buffer.from(firstVersion, "base64"))
      assert.strictEqual((yield* Effect.flip(encryption.open("address", change(sealed)))).message, problem)
    })
  )

  it.effect("a record with another key names both keys, and all that are configured", () =>
    Effect.gen(function* () {
      const encryption = yield* encryptionWith("two", "three")
      const sealed = Buffer.from(firstVersion, "base64")
      assert.match(
        (yield* Effect.flip(encryption.open("address", sealed))).message,
        /^it was encrypted with another key \(6a0a0f82d8287b5c\) than the configured one \([0-9a-f]{16}, [0-9a-f]{16}\)\. Configure/
      )
    })
  )
})

describe("encryption keys", () => {
  it("a key of 32 characters, of which eight differ, is long enough and hard enough to guess", () => {
    const advice = "A good one comes from: openssl rand -base64 32"
    const problemOf = (key: string) => encryptionKeyProblem(Redacted.make(key))
    assert.isUndefined(problemOf("abcdefgh".repeat(4)))
    assert.strictEqual(
      problemOf("abcdefg".repeat(5)),
      `is too easy to guess: it needs at least 8 different characters. ${advice}`
    )
    assert.strictEqual(
      problemOf("abcdefgh".repeat(4).slice(1)),
      `is too short: it needs at least 32 characters. ${advice}`
    )
  })

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
