import { assert, describe, it } from "@effect/vitest"
import { absent, notStorable, type StoreEntry } from "@secure-mcp/token-cache"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { isRemoved, isReplacedBy, isServable, timeToLive, toMemoryToken } from "../src/memory/MemoryToken.ts"
import { dropRemoved, endPendingWrite, endStoreCheck } from "../src/memory/StoreCheckState.ts"
import { emptySlot } from "../src/memory/CacheSlot.ts"
import { keyOf, text, tokenOf } from "./fixtures.ts"

const at = (wall: number, monotonic = wall) => ({ wall, monotonic })
const token = tokenOf("ours", { issuedAt: 1000, expiresAt: 5000 })
const other = tokenOf("theirs", { issuedAt: 1000, expiresAt: 5000 })
const pendingWrite = Effect.succeed(1)
const inStore = { ...toMemoryToken(token, at(1000)), revision: 7 }
const written = { ...inStore, pendingWrite }
const unwritten = { ...toMemoryToken(token, at(1000)), pendingWrite }
const unknown = toMemoryToken(token, at(1000))

describe("a token in memory", () => {
  it("a token is served until the moment at which it expires, by the monotonic clock", () => {
    const cached = toMemoryToken(token, at(2000, 50))
    assert.isTrue(isServable(cached, 3049))
    assert.isFalse(isServable(cached, 3050))
    assert.isFalse(toMemoryToken(token, at(5000)).mayServe, "expired already")
    assert.isTrue(toMemoryToken(token, at(4999)).mayServe)
  })

  it("a wall clock that was set back does not make a token live longer than its whole lifetime", () => {
    assert.strictEqual(toMemoryToken(token, at(0)).expiresAt, 4000)
  })

  it("a token for one use is not served again", () => {
    assert.isFalse(toMemoryToken(tokenOf("once", { reusable: false }), at(0)).mayServe)
  })

  it("a store has a token as long as it is of use", () => {
    const cached = toMemoryToken(token, at(1000))
    assert.strictEqual(Duration.toMillis(timeToLive(cached, 1500)), 3500)
    assert.strictEqual(Duration.toMillis(timeToLive({ ...cached, mayServe: false }, 1500)), 0)
    const refreshable = tokenOf("a", { expiresAt: 1, refreshToken: Redacted.make("r") })
    assert.isFalse(Duration.isFinite(timeToLive(toMemoryToken(refreshable, at(1000)), 1500)))
  })
})

const removed = (revision: number, removedAt = 0): StoreEntry => ({ _tag: "Removed", revision, removedAt })
const stored = (revision: number, their = other): StoreEntry => ({ _tag: "Stored", token: their, revision })
const days = Duration.toMillis(Duration.days(1))

describe("what a store says of a token in memory", () => {
  const removals = [
    ["an earlier removal does not concern it", inStore, removed(6), 2000, false],
    ["a removal with its own number concerns it", inStore, removed(7), 2000, true],
    ["a later removal concerns it", inStore, removed(8), 2000, true],
    ["a removal with its own number is before its pending write", written, removed(7), 2000, false],
    ["a later removal concerns its pending write", written, removed(8), 2000, true],
    [
      "a removal before its request does not concern one that never reached the store",
      unknown,
      removed(9, 999),
      2000,
      false
    ],
    [
      "a removal at the moment of its request concerns one that never reached the store",
      unknown,
      removed(1, 1000),
      2000,
      true
    ],
    ["another token is no removal", inStore, stored(8), 2000, false],
    ["a store that takes none says nothing", inStore, notStorable, 2000, false],
    ["a store that lost it is believed for thirty days", inStore, absent, 1000 + 30 * days, false],
    [
      "after thirty days without a look a lost token is a removed one",
      inStore,
      absent,
      1001 + 30 * days,
      true
    ],
    ["one that is still to be written is not lost", written, absent, 1001 + 30 * days, false],
    [
      "one that is never stored is not lost",
      { ...inStore, isStorable: false },
      absent,
      1001 + 30 * days,
      false
    ]
  ] as const
  it.each(removals)("%s", (_, cached, entry, wall, expected) => {
    assert.strictEqual(isRemoved(cached, entry, at(wall)), expected)
  })

  const younger = tokenOf("theirs", { issuedAt: 1001 })
  const replacements = [
    ["an earlier token of another process does not replace it", inStore, stored(6), false],
    ["another token with its own number replaces it, as after a backup", inStore, stored(7), true],
    ["a later token of another process replaces it", inStore, stored(8), true],
    ["another token with its own number does not replace a pending one", written, stored(7), false],
    ["a later token replaces a pending one", written, stored(8), true],
    ["itself does not replace it", inStore, stored(8, token), false],
    ["a removal does not replace it", inStore, removed(8), false],
    ["any other token replaces one of which the store said nothing", unknown, stored(1), true],
    [
      "a token of the same time does not replace one that never reached the store",
      unwritten,
      stored(9),
      false
    ],
    ["a younger token replaces one that never reached the store", unwritten, stored(1, younger), true]
  ] as const
  it.each(replacements)("%s", (_, cached, entry, expected) => {
    assert.strictEqual(isReplacedBy(cached, entry), expected)
  })
})

describe("the end of a look into the store", () => {
  const slot = { ...emptySlot(keyOf("a")), cached: inStore }
  const asked = at(8500, 2500)
  const now = at(9000, 3000)

  it("no answer is no removal, and the token is good until the next look", () => {
    const [wasRemoved, { cached }] = endStoreCheck(slot, inStore, undefined, asked, now)
    assert.isFalse(wasRemoved)
    assert.deepStrictEqual(cached?.checkedAt, { wall: 1000, monotonic: 3000 })
  })

  it("a removed token is dropped, and another process's token takes its place", () => {
    const [wasRemoved, dropped] = endStoreCheck(slot, inStore, removed(8), asked, now)
    assert.isTrue(wasRemoved)
    assert.isUndefined(dropped.cached)
    const [, replaced] = endStoreCheck(slot, inStore, stored(8), asked, now)
    assert.strictEqual(text(replaced.cached?.token), "theirs")
    assert.strictEqual(replaced.cached?.revision, 8)
  })

  it("an answer about a token that is not there any more changes nothing", () => {
    const young = { ...slot, cached: toMemoryToken(other, at(2000)) }
    assert.deepStrictEqual(endStoreCheck(young, inStore, removed(8), asked, now), [
      false,
      { ...young, storeCheck: undefined }
    ])
    const empty = emptySlot(keyOf("a"))
    assert.deepStrictEqual(endStoreCheck(empty, inStore, removed(8), asked, now), [
      false,
      { ...empty, storeCheck: undefined }
    ])
    assert.strictEqual(dropRemoved(young, inStore), young)
    assert.strictEqual(dropRemoved(empty, undefined), empty)
    assert.isUndefined(dropRemoved(slot, inStore).cached)
    assert.strictEqual(endPendingWrite(young, written, 9, now), young)
  })

  it("a store that takes no such token is not asked about it again", () => {
    assert.isFalse(endStoreCheck(slot, inStore, notStorable, asked, now)[1].cached?.isStorable)
    assert.isTrue(endStoreCheck(slot, inStore, absent, asked, at(1000))[1].cached?.isStorable)
  })

  it("a pending write that ends without a number means that the token is not used any more", () => {
    const pending = { ...slot, cached: written }
    assert.isUndefined(endPendingWrite(pending, written, undefined, now).cached)
    const { cached } = endPendingWrite(pending, written, 9, now)
    assert.deepInclude(cached, { revision: 9, checkedAt: now, pendingWrite: undefined })
  })
})
