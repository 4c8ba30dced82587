import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { parseJson, parseJsonRpc } from "../../src/jsonrpc/JsonRpc.ts"
import { outlineOf } from "../../src/jsonrpc/JsonOutline.ts"

const filler = "x".repeat(70_000)
/** More values than are built. */
const many = `[${"1,".repeat(40_000)}1]`

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

describe("a long JSON text", () => {
  it("a text of few values is read as `JSON.parse` reads it", () => {
    fc.assert(
      fc.property(fc.json(), fc.string(), (json, extra) => {
        const text = `{"id":1,"value":${json},"filler":${JSON.stringify(filler + extra)}}`
        assert.deepStrictEqual(parseJson(text), JSON.parse(text))
      })
    )
  })

  it("a text is JSON if `JSON.parse` takes it", () => {
    const alphabet = fc.constantFrom(
      ...'{}[],:"\\ \n01-.eEtrufalsn/é\u0001'.split(""),
      "true",
      "null",
      '"a"',
      '"a":',
      "\\u00e9",
      "1e5",
      "-0"
    )
    const texts = fc.array(alphabet, { maxLength: 12 }).map((parts) => parts.join(""))
    fc.assert(
      fc.property(fc.oneof(texts, fc.json()), (text) => {
        assert.strictEqual(outlineOf(text) === undefined, parsed(text) === undefined, text)
      }),
      { numRuns: 3000 }
    )
  })

  it("a text of many values shows the members that routing looks at", () => {
    const text = `{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{"big":${many},"name":"search","_meta":{"progressToken":"p"}}}`
    assert.deepStrictEqual(parseJson(text), {
      jsonrpc: "2.0",
      id: Number("9007199254740993"),
      method: "tools/call",
      params: { name: "search", _meta: { progressToken: "p" } }
    })
  })

  it("of a member that is repeated in a text of many values the last counts", () => {
    const text = `{"id":1,"result":${many},"\\u0069d":2}`
    assert.deepStrictEqual(parseJson(text), { id: 2, result: [] })
  })

  it("a text that repeats a member a hundred times among many values is no message", () => {
    assert.isUndefined(parseJsonRpc(`{${'"id":1,'.repeat(100)}"method":"x","params":${many}}`))
  })

  it.each(["[", '{"a":'])("a long text that is nested deeper than a thousand %s is not read", (open) => {
    const close = open === "[" ? "]" : "}"
    const nested = (depth: number) =>
      `{"id":1,"v":${open.repeat(depth)}1${close.repeat(depth)},"f":"${filler}"}`
    assert.isDefined(parseJson(nested(900)))
    assert.isUndefined(parseJson(nested(1100)))
  })

  it("each message of a long batch keeps its own text", () => {
    const message = `{"jsonrpc":"2.0","method":"a","params":{"v":${many}}}`
    const batch = parseJsonRpc(`[ ${message} ,\n${message}]`)
    assert.deepStrictEqual(
      batch?.messages.map(({ text }) => text),
      [message, message]
    )
  })

  it("a long batch of more than a thousand messages is no message", () => {
    const batch = (count: number) =>
      `[${Array.from({ length: count }, () => '{"jsonrpc":"2.0","method":"notifications/a","params":{}}').join(",")}]`
    assert.isUndefined(parseJsonRpc(batch(20_000)))
  })

  it("a text with a million line ends stands on one line", () => {
    const text = `{"id":1,${"\n".repeat(1_000_000)}"method":"a"}`
    assert.strictEqual(parseJsonRpc(text)?.messages[0]?.text, text.replaceAll("\n", " "))
  })
})
