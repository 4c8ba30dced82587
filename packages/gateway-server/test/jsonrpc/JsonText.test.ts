import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { elementsOf, removeAt, replaceAt, sourceAt } from "../../src/jsonrpc/JsonText.ts"

/** JSON with every kind of insignificant space, escapes in keys, and numbers that JavaScript cannot hold. */
const text = String.raw` {"id" : 9007199254740993 ,"a":"}],\"\\","params":{"x":[1.0,{"y":1e400}],"\u0069d":"p"}, "id":1E2}`

describe("JsonText", () => {
  it("a value is found at its path, letter for letter, and the last of repeated keys counts", () => {
    assert.strictEqual(sourceAt(text, ["id"]), "1E2")
    assert.strictEqual(sourceAt(text, ["params", "x"]), '[1.0,{"y":1e400}]')
    assert.strictEqual(sourceAt(text, ["params", "id"]), '"p"')
    assert.strictEqual(sourceAt(text, ["a"]), String.raw`"}],\"\\"`)
    for (const path of [["b"], ["a", "id"], ["params", "x", "y"], ["id", "id"]])
      assert.isUndefined(sourceAt(text, path), path.join("."))
  })

  it("a replaced value changes nothing else, and repeated keys are all replaced", () => {
    assert.strictEqual(
      replaceAt(text, ["id"], "7"),
      text.replace("9007199254740993", "7").replace("1E2", "7")
    )
    assert.strictEqual(replaceAt(text, ["params", "id"], "null"), text.replace('"p"', "null"))
    assert.strictEqual(replaceAt(text, ["missing"], "1"), text)
  })

  it("a removed member takes one comma with it", () => {
    assert.strictEqual(removeAt('{"a":1 , "b":2,"c":3}', ["b"]), '{"a":1,"c":3}')
    assert.strictEqual(removeAt('{ "a":1 }', ["a"]), "{  }")
    assert.strictEqual(removeAt('{"p":{"a":1,"b":1.0,"a":2}}', ["p", "a"]), '{"p":{"b":1.0}}')
    assert.strictEqual(removeAt(text, ["missing"]), text)
  })

  it("elements of an array keep their text", () => {
    assert.deepStrictEqual(elementsOf(' [ 1.0 ,{"a":[1,2]}, "x,]" ,[]] '), [
      "1.0",
      '{"a":[1,2]}',
      '"x,]"',
      "[]"
    ])
    assert.deepStrictEqual(elementsOf("[]"), [])
  })

  it("any JSON text is read as JSON.parse reads it", () => {
    const layouts = [undefined, 1, "\t", "\n "]
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.array(fc.jsonValue()),
        fc.constantFrom(...layouts),
        (object, array, layout) => {
          const json = JSON.stringify(object, undefined, layout)
          for (const [key, value] of Object.entries(object)) {
            assert.strictEqual(JSON.stringify(JSON.parse(sourceAt(json, [key]) ?? "")), JSON.stringify(value))
            const replaced = JSON.parse(replaceAt(json, [key], '"new"'))
            assert.strictEqual(replaced[key], "new")
            assert.deepStrictEqual(Object.keys(replaced), Object.keys(object))
            assert.deepStrictEqual(
              Object.keys(JSON.parse(removeAt(json, [key]))),
              Object.keys(object).filter((other) => other !== key)
            )
          }
          assert.deepStrictEqual(
            elementsOf(JSON.stringify(array, undefined, layout)).map((element) => JSON.parse(element)),
            JSON.parse(JSON.stringify(array))
          )
        }
      )
    )
  })
})
