import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { CacheSlot } from "../src/memory/CacheSlot.ts"
import { toMemoryToken } from "../src/memory/MemoryToken.ts"
import { makeTokenSlots, type TokenSlots } from "../src/memory/TokenSlots.ts"
import { keyOf, tokenOf } from "./fixtures.ts"

const cached = toMemoryToken(tokenOf("1"), { wall: 0, monotonic: 0 })

const pending = {
  ...toMemoryToken(tokenOf("1", { refreshToken: Redacted.make("r") }), { wall: 0, monotonic: 0 }),
  pendingWrite: Effect.succeed(1)
}

const removal = { ended: Deferred.makeUnsafe<void>(), pending: 1 }

const fill = (slots: TokenSlots, name: string, fields: Partial<CacheSlot> = {}) =>
  slots.use(keyOf(name), (slot) => [undefined, { ...slot, cached, ...fields }])

const change = (slots: TokenSlots, name: string, fields: Partial<CacheSlot>) =>
  slots.modify(keyOf(name), (slot) => [undefined, { ...slot, ...fields }])

const names = (slots: TokenSlots) => Array.from(slots.all(), ({ key }) => key.serverName).sort()

describe("the tokens in memory", () => {
  it("the least recently used token is evicted first, whatever kind of use it was", () => {
    const slots = makeTokenSlots(3)
    for (const name of ["a", "b", "c"]) fill(slots, name)
    assert.isDefined(slots.look(keyOf("a")))
    fill(slots, "b")
    fill(slots, "d")
    assert.deepStrictEqual(names(slots), ["a", "b", "d"])
    fill(slots, "e")
    assert.deepStrictEqual(names(slots), ["b", "d", "e"])
  })

  it("a change that is not a use leaves the order as it is", () => {
    const slots = makeTokenSlots(2)
    for (const name of ["a", "b"]) fill(slots, name)
    change(slots, "a", { failures: 1 })
    assert.strictEqual(slots.get(keyOf("a")).failures, 1)
    fill(slots, "c")
    assert.deepStrictEqual(names(slots), ["b", "c"])
  })

  it("reading a token without asking for it is no use", () => {
    const slots = makeTokenSlots(2)
    for (const name of ["a", "b"]) fill(slots, name)
    slots.get(keyOf("a"))
    fill(slots, "c")
    assert.deepStrictEqual(names(slots), ["b", "c"])
  })

  for (const [why, fields] of [
    ["is being removed", { removal }],
    ["has a refresh token that the store does not have", { cached: pending }]
  ] as const)
    it(`a token that ${why} is never evicted, and takes the room of others`, () => {
      const slots = makeTokenSlots(2)
      fill(slots, "a", fields)
      for (const name of ["b", "c", "d"]) fill(slots, name)
      assert.deepStrictEqual(names(slots), ["a", "d"])
      change(slots, "a", { removal: undefined, cached })
      fill(slots, "e")
      assert.deepStrictEqual(names(slots), ["a", "e"])
      fill(slots, "f")
      assert.deepStrictEqual(names(slots), ["e", "f"])
    })

  it("more tokens than there is room for leave as soon as they can", () => {
    const slots = makeTokenSlots(1)
    for (const name of ["a", "b", "c"]) fill(slots, name, { removal })
    assert.deepStrictEqual(names(slots), ["a", "b", "c"])
    for (const name of ["a", "b"]) change(slots, name, { removal: undefined })
    fill(slots, "c", { removal: undefined })
    assert.deepStrictEqual(names(slots), ["c"])
  })

  it("a slot that holds nothing leaves, and looking for a key leaves none", () => {
    const slots = makeTokenSlots(2)
    fill(slots, "a")
    change(slots, "a", { cached: undefined })
    assert.isUndefined(slots.look(keyOf("a")))
    slots.get(keyOf("b"))
    change(slots, "b", { failures: 3 })
    assert.deepStrictEqual(names(slots), [])
    fill(slots, "a")
    assert.deepStrictEqual(names(slots), ["a"])
  })

  it("any number of keys takes no more room than the capacity, in the order of use", () => {
    const slots = makeTokenSlots(100)
    for (let key = 0; key < 1000; key++) fill(slots, String(key))
    assert.lengthOf(names(slots), 100)
    assert.isUndefined(slots.look(keyOf("899")))
    assert.isDefined(slots.look(keyOf("900")))
  })
})
