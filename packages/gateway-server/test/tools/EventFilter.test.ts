import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { EventFilter } from "../../src/tools/EventFilter.ts"
import { withoutHiddenTools } from "../../src/tools/ListedTools.ts"

const mayUse = (tool: string) => tool.startsWith("get_")

const list = (...names: ReadonlyArray<string>) =>
  `{"jsonrpc":"2.0","id":9007199254740993,"result":{"tools":[${names.map((name) => `{"name":"${name}"}`).join(",")}],"x":1.0}}`

const filtered = (chunks: ReadonlyArray<string>): string => {
  const filter = new EventFilter(mayUse, 1000)
  return chunks.map((chunk) => filter.read(chunk) ?? assert.fail("too long")).join("") + filter.finish()
}

describe("tools in an event stream", () => {
  it.each([
    ["without tools", "data: {}\n\n", "data: {}\n\n"],
    ["with a comment", ": ping\n", ": ping\n"],
    [
      "with all fields",
      `event: message\nid: 7\ndata: ${list("get_a", "set_a")}\nretry: 5\n\n`,
      `event: message\nid: 7\nretry: 5\ndata: ${list("get_a")}\n\n`
    ],
    ["with CR LF", `data: ${list("set_a")}\r\n\r\n`, `data: ${list()}\r\n\r\n`],
    ["with CR", `data: ${list("set_a")}\r\rdata: 1\r\r`, `data: ${list()}\r\rdata: 1\r\r`],
    ["without a space", `data:${list("set_a", "get_b")}\n\n`, `data: ${list("get_b")}\n\n`],
    [
      "over several lines",
      'data: {"result":\ndata: {"tools":[{"name":"set_a"}]}}\n\n',
      'data: {"result":\ndata: {"tools":[]}}\n\n'
    ],
    ["that breaks off", `data: ${list("set_a")}`, `data: ${list()}`]
  ])("an event stream %s passes without hidden tools, however it is cut", (_, text, expected) => {
    assert.strictEqual(filtered([text]), expected)
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 8 }), (cuts) => {
        const places = [0, ...cuts.toSorted((one, other) => one - other), text.length]
        const chunks = places.slice(1).map((end, index) => text.slice(places[index], end))
        // Half of a line end may be left out where it was cut.
        assert.strictEqual(filtered(chunks).replaceAll(/\r\n?/g, "\n"), expected.replaceAll(/\r\n?/g, "\n"))
      }),
      { numRuns: 200, seed: 2026 }
    )
  })

  it("an event of an event stream that is too long ends it", () => {
    const filter = new EventFilter(mayUse, 100)
    assert.isDefined(filter.read(`data: ${"x".repeat(90)}`))
    assert.isUndefined(filter.read("x".repeat(10)))
  })
})

describe("tools in a message", () => {
  it.each([
    ["a list", list("set_a", "get_a", "set_b"), list("get_a")],
    ["a batch", `[ ${list("set_a")} , {"id":1} ]`, `[${list()},{"id":1}]`],
    [
      "a key with escapes",
      String.raw`{"result":{"\u0074ools":[{"name":"set_a"}]}}`,
      String.raw`{"result":{"\u0074ools":[]}}`
    ],
    [
      "a name with escapes",
      String.raw`{"result":{"tools":[{"name":"\u0073et_a"},{"name":"\u0067et_a"}]}}`,
      String.raw`{"result":{"tools":[{"name":"\u0067et_a"}]}}`
    ],
    [
      "a repeated key",
      '{"result":{"tools":[{"name":"get_a","name":"set_a"},{"name":"set_a","name":"get_a"}]}}',
      '{"result":{"tools":[{"name":"set_a","name":"get_a"}]}}'
    ],
    [
      "repeated lists",
      '{"result":{"tools":[{"name":"set_a"}],"tools":[{"name":"set_b"}]}}',
      '{"result":{"tools":[],"tools":[]}}'
    ],
    ["what is no tool", '{"result":{"tools":["set_a",{"name":1},null,{}]}}', '{"result":{"tools":[]}}']
  ])("%s is passed on without hidden tools", (_, text, expected) => {
    assert.strictEqual(withoutHiddenTools(text, mayUse), expected)
  })

  it.each([
    "",
    "x",
    '{"tools":[{"name":"set_a"}]}',
    '{"result":{"tools":{"name":"set_a"}}}',
    '{"params":{"tools":[]}} x'
  ])("the text %j lists no tools, and stays as it is", (text) => {
    assert.strictEqual(withoutHiddenTools(text, mayUse), text)
  })
})
