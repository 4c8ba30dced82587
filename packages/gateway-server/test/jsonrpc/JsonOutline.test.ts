import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "fast-check"
import { readOutline, Unreadable } from "../../src/jsonrpc/JsonOutline.ts"
import {
  idText,
  idTextAt,
  type JsonRpcMessage,
  readJsonRpc,
  withIdAt,
  withoutMembersAt,
  withValuesAt
} from "../../src/jsonrpc/JsonRpc.ts"
import { replaceAt, sourceAt } from "../../src/jsonrpc/JsonText.ts"
import { findIds } from "../../src/jsonrpc/LongMessage.ts"

const filler = "x".repeat(70_000)
const many = `[${"1,".repeat(40_000)}1]`

const read = (text: string) => Effect.runPromise(readJsonRpc(text))
const only = async (text: string): Promise<JsonRpcMessage> => {
  const [message] = (await read(text)).messages
  return message ?? assert.fail("no message")
}
const refusalOf = (text: string) => Effect.runPromise(Effect.flip(readJsonRpc(text)))

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const isRead = (text: string): boolean => {
  try {
    const steps = readOutline(text)
    for (let step = steps.next(); step.done !== true; step = steps.next());
    return true
  } catch (error) {
    if (error instanceof Unreadable) return false
    throw error
  }
}

describe("a long JSON-RPC text", () => {
  it("a text is read if `JSON.parse` takes it", () => {
    const alphabet = fc.constantFrom(
      ...'{}[],:"\\ \n01-.eEtrufalsn/é\u0001'.split(""),
      "true",
      "null",
      '"a"',
      '"id":',
      "\\u00e9",
      "1e5",
      "-0"
    )
    const texts = fc.array(alphabet, { maxLength: 12 }).map((parts) => parts.join(""))
    fc.assert(
      fc.property(fc.oneof(texts, fc.json()), (text) => {
        assert.strictEqual(isRead(text), isJson(text), text)
      }),
      { numRuns: 3000 }
    )
  })

  it("the ids of a long message are read and replaced as those of a short one, letter for letter", async () => {
    const source = fc.constantFrom("1", "9007199254740993", "1.0", '"a"', "null", '{"id":1}')
    const name = fc.constantFrom('"id"', '"\\u0069d"', '"params"', '"_meta"', '"progressToken"', '"x"')
    const object = (members: ReadonlyArray<readonly [string, string]>) =>
      ` { ${members.map(([key, value]) => `${key} : ${value}`).join(" , ")} } `
    const objects = fc.array(fc.tuple(name, source), { maxLength: 5 }).map(object)
    const messages = fc
      .array(fc.tuple(name, fc.oneof(source, objects)), { maxLength: 6 })
      .map((members) => object([...members, ['"filler"', JSON.stringify(filler)]]).trim())
    await fc.assert(
      fc.asyncProperty(messages, async (text) => {
        const long = await only(text)
        assert.isDefined(long.members)
        assert.strictEqual(long.text, text)
        for (const path of [["id"], ["params", "progressToken"], ["params", "id"]]) {
          assert.strictEqual(withValuesAt(long, [path, '"new"']), replaceAt(text, path, '"new"'))
          assert.strictEqual(idTextAt(long, path), idTextAt({ json: JSON.parse(text), text }, path))
        }
        assert.deepStrictEqual(
          JSON.parse(withoutMembersAt(long, ["params"])),
          Object.fromEntries(Object.entries(JSON.parse(text)).filter(([key]) => key !== "params"))
        )
      }),
      { numRuns: 200 }
    )
  })

  it("a message of many values shows the members that routing looks at", async () => {
    const { json } = await only(
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"big":${many},"name":"search","_meta":{"progressToken":"p"}}}`
    )
    assert.deepStrictEqual(json, {
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "search", _meta: { progressToken: "p" } }
    })
  })

  it("the arguments of a long call show their short values, and a long list of tools each tool", async () => {
    const call = await only(
      `{"id":1,"method":"tools/call","params":{"arguments":{"region":"eu","big":${many}}}}`
    )
    assert.deepStrictEqual(call.json["params"], { arguments: { region: "eu", big: [] } })
    const tools = Array.from({ length: 3000 }, (_, index) => ({
      name: `t${index}`,
      inputSchema: { a: [index] }
    }))
    const list = await only(JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools } }))
    assert.deepStrictEqual(list.json["result"], { tools })
  })

  it("the last of repeated members counts in a long message", async () => {
    const message = await only(`{"id":1,"result":${many},"\\u0069d":2}`)
    assert.deepStrictEqual(message.json, { id: 2, result: [] })
    assert.strictEqual(withIdAt(message, idText("a")), `{"id":"a","result":${many},"\\u0069d":"a"}`)
  })

  it.each<[name: string, text: string, problem: RegExp]>([
    ["lists in lists", `{"id":1,"method":"a","v":${"[".repeat(40_000)}${"]".repeat(40_000)}}`, /1000 levels/],
    ["objects in objects", `{"id":1,"v":${'{"a":'.repeat(40_000)}1${"}".repeat(40_000)}}`, /1000 levels/],
    ["ids", `{${'"id":1,'.repeat(20_000)}"method":"x"}`, /1000 times/],
    ["messages", `[${'{"jsonrpc":"2.0","method":"a"},'.repeat(20_000)}{}]`, /1000 messages/],
    ["digits", `{"id":${"1".repeat(70_000)},"method":"x"}`, /number of more than 1000/]
  ])("a long message with too many %s is refused with the bound in the error", async (_, text, problem) => {
    const refusal = await refusalOf(text)
    assert.match(refusal.problem, problem)
    assert.strictEqual(refusal.code, -32600)
    assert.isTrue(refusal.isBeyondBound)
  })

  it("a long text that is no JSON is refused as such", async () => {
    const refusal = await refusalOf(`{"id":1,"v":"${filler}"`)
    assert.deepInclude(refusal, { code: -32700, isBeyondBound: false })
  })

  it("the ids of a message that goes beyond a bound are found", async () => {
    const text = `{"jsonrpc":"2.0","id":7,"result":${"[".repeat(40_000)}${"]".repeat(40_000)}}`
    const { answers } = await Effect.runPromise(findIds(text))
    assert.deepStrictEqual(answers, [idText(7)])
  })

  it("each message of a long batch keeps its own text and ids", async () => {
    const message = (id: string) => `{"jsonrpc":"2.0","method":"a","id":${id},"params":{"v":${many}}}`
    const { messages } = await read(`[ ${message("1.0")} ,\n${message("2")}]`)
    assert.deepStrictEqual(
      messages.map(({ text }) => text),
      [message("1.0"), message("2")]
    )
    assert.deepStrictEqual(
      messages.map((each) => idTextAt(each)),
      messages.map(({ text }) => sourceAt(text, ["id"]))
    )
  })

  it("a text with a million line ends stands on one line", async () => {
    const text = `{"id":1,${"\n".repeat(1_000_000)}"method":"a"}`
    assert.strictEqual((await only(text)).text, text.replaceAll("\n", " "))
  })

  it("others are served while a long text is read", async () => {
    const turns = { count: 0 }
    const timer = setInterval(() => (turns.count += 1), 0)
    const exit = await Effect.runPromiseExit(
      readJsonRpc(`{"id":1,"method":"a","v":[${"1,".repeat(1_000_000)}1]}`)
    )
    clearInterval(timer)
    assert.isTrue(Exit.isSuccess(exit))
    assert.isAbove(turns.count, 5)
  })
})
