import { assert, describe, it } from "@effect/vitest"
import { type Ordered, UseOrder } from "../../src/order/UseOrder.ts"

interface Item extends Ordered<Item> {
  readonly name: string
}

const itemOf = (name: string): Item => ({ name, older: undefined, newer: undefined })

/** From the oldest to the newest. */
const namesIn = (order: UseOrder<Item>) => {
  const names: Array<string> = []
  for (let item = order.oldest; item !== undefined; item = item.newer) names.push(item.name)
  return names
}

describe("the order of use", () => {
  const make = () => {
    const order = new UseOrder<Item>()
    const items = ["a", "b", "c"].map(itemOf)
    for (const item of items) order.use(item)
    return { order, items }
  }

  it("items are in the order in which they were used last", () => {
    const { items, order } = make()
    assert.deepStrictEqual(namesIn(order), ["a", "b", "c"])
    for (const [index, expected] of [
      [2, "abc"],
      [0, "bca"],
      [2, "bac"],
      [1, "acb"]
    ] as const) {
      const item = items[index]
      if (item !== undefined) order.use(item)
      assert.strictEqual(namesIn(order).join(""), expected)
    }
  })

  it.each([
    [0, "bc"],
    [1, "ac"],
    [2, "ab"]
  ] as const)("item %i leaves no trace when it is removed, and can come back", (index, rest) => {
    const { items, order } = make()
    const item = items[index] ?? itemOf("none")
    order.remove(item)
    assert.isFalse(order.has(item))
    assert.deepStrictEqual([item.older, item.newer], [undefined, undefined])
    assert.strictEqual(namesIn(order).join(""), rest)
    order.remove(item)
    assert.strictEqual(namesIn(order).join(""), rest)
    order.use(item)
    assert.strictEqual(namesIn(order).join(""), rest + item.name)
  })

  it("an order from which all items are removed begins anew", () => {
    const { items, order } = make()
    for (const item of items.toReversed()) order.remove(item)
    assert.isUndefined(order.oldest)
    const item = itemOf("d")
    order.use(item)
    assert.isTrue(order.has(item))
    assert.isUndefined(item.older)
    assert.strictEqual(order.oldest, item)
  })
})
