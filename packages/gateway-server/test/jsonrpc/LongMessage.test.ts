import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { LongMessageReader } from "../../src/jsonrpc/LongMessage.ts"

/** The ids, as plain texts. */
const read = (
  text: string,
  cuts: ReadonlyArray<number> = []
): Readonly<Record<"answers" | "requests", ReadonlyArray<string>>> => {
  const bytes = new TextEncoder().encode(text)
  const reader = new LongMessageReader()
  let start = 0
  for (const end of [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted(
    (a, b) => a - b
  )) {
    reader.read(bytes.subarray(start, end))
    start = end
  }
  return reader.finish()
}

const long = JSON.stringify({ id: 7, text: 'a "quoted" {brace} and \\' })

describe("LongMessageReader", () => {
  it.each([
    [`{"jsonrpc":"2.0","id":1,"result":${long}}`, ["1"]],
    [`{"result":${long},"jsonrpc":"2.0","id":1}`, ["1"]],
    [`\uFEFF { "result" : [${long}, {}] , "id" : "a\\u0062" }\r`, ['"ab"']],
    [
      `{"error":{"code":1,"message":${JSON.stringify(long)},"id":3},"id":9007199254740993}`,
      ["9007199254740993"]
    ],
    [`[{"result":${long},"id":1},{"id":2,"method":"x"},{"id":3,"error":{}}]`, ["1", "3"]]
  ])("finds the requests that %s answers", (text, answers) => {
    assert.deepStrictEqual(read(text).answers, answers)
  })

  it.each([
    [`{"method":"sampling/createMessage","params":${long},"id":5}`, ["5"]],
    [`{"id":5,"params":${long},"method":"sampling/createMessage"}`, ["5"]],
    [`[{"result":${long},"id":1},{"id":2,"method":"x"}]`, ["2"]]
  ])("finds the requests in %s", (text, requests) => {
    assert.deepStrictEqual(read(text).requests, requests)
  })

  it.each([
    `{"method":"notifications/message","params":${long}}`,
    `{"result":${long},"id":null}`,
    `{"result":${long},"id":{"id":1}}`,
    `{"result":${long},"id":"${"x".repeat(300)}"}`,
    `{"level":"info","id":1,"msg":${long}}`,
    `{"result":${long},"id":1`,
    `{"result":${long},"id":1}}`,
    `{"result":${long},"id":1} {"result":{},"id":2}`,
    `sent {"result":${long},"id":1}`,
    `"{\\"result\\":1,\\"id\\":1}"`,
    "42",
    ""
  ])("finds no id in %s", (text) => {
    assert.deepStrictEqual(read(text), { answers: [], requests: [] })
  })

  it("finds the id of any message, however its bytes are split", () => {
    const id = fc.oneof(fc.integer(), fc.string({ unit: "grapheme", maxLength: 20 }))
    const members = fc.record({ id, result: fc.jsonValue() })
    const messages = fc.oneof(members, fc.array(members, { minLength: 1, maxLength: 4 }))
    fc.assert(
      fc.property(
        messages,
        fc.boolean(),
        fc.array(fc.nat(), { maxLength: 20 }),
        (value, isReversed, cuts) => {
          const reverse = (message: object) => Object.fromEntries(Object.entries(message).toReversed())
          const all = Array.isArray(value) ? value : [value]
          const written = isReversed ? all.map(reverse) : all
          const text = JSON.stringify(Array.isArray(value) ? written : written[0], null, cuts.length % 3)
          assert.deepStrictEqual(read(text, cuts), {
            answers: all.map((message) => JSON.stringify(message.id)),
            requests: []
          })
        }
      )
    )
  })
})
