import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { makeLineReader } from "../../src/jsonrpc/Lines.ts"
import { LongMessageReader } from "../../src/jsonrpc/LongMessage.ts"
import * as Effect from "effect/Effect"
import { readMessageLine } from "../../src/jsonrpc/MessageLine.ts"

const answer = '{"jsonrpc":"2.0","id":1,"result":{"n":1e400}}'
const read = (line: string) => Effect.runSync(readMessageLine(line))
const textsOf = (line: string) => read(line).messages.map(({ text }) => text)

describe("readMessageLine", () => {
  it.each([
    answer,
    '{"jsonrpc":"2.0","id":"a","method":"ping"}',
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
    '{"jsonrpc":"2.0","method":"notifications/x","params":null}',
    '{"id":1,"error":{"code":-32601,"message":"no"},"jsonrpc":"2.0"}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}',
    '{"jsonrpc":"2.0","error":{"code":-32700,"message":"no"}}'
  ])("%s is a message, and its text is kept", (line) => {
    assert.deepStrictEqual(read(line), {
      messages: [{ json: JSON.parse(line), text: line }],
      noise: []
    })
  })

  it.each([
    "Server v1.2 started",
    "\u001B[32minfo\u001B[39m: ready",
    "42",
    '"word"',
    "null",
    "[]",
    '[1,{"jsonrpc":"2.0","method":"x"}]',
    '{"level":30,"time":1,"pid":2,"hostname":"h","msg":"pino"}',
    '{"level":"info","id":1,"msg":"request"}',
    '{"level":"info","method":"GET","path":"/"}',
    '{"level":"info","id":1,"method":"tools/call","msg":"handling"}',
    '{"level":"error","id":1,"error":"the cache is cold"}',
    '{"id":1,"result":{}}',
    '{"jsonrpc":"1.0","id":1,"result":{}}',
    '{"jsonrpc":"2.0","id":1}',
    '{"jsonrpc":"2.0","id":1,"error":"the cache is cold"}',
    '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"both"}}',
    '{"jsonrpc":"2.0","id":1,"method":null,"result":{}}',
    '{"jsonrpc":"2.0","id":null,"method":"ping"}',
    `Loading... ${answer}`,
    `${answer} sent`,
    `${answer}${answer}`,
    `INFO sent:\u001B[0m ${answer}`
  ])("%s is no message", (line) => {
    assert.deepStrictEqual(read(line), { messages: [], noise: [line] })
  })

  it("an array of log lines is no message, and each is told", () => {
    assert.deepStrictEqual(read('[{"level":"info"},{"level":"warn"}]'), {
      messages: [],
      noise: ['{"level":"info"}', '{"level":"warn"}']
    })
  })

  it("a batch is the messages in it", () => {
    assert.deepStrictEqual(textsOf(`[${answer}, {"jsonrpc":"2.0","method":"x"}]`), [
      answer,
      '{"jsonrpc":"2.0","method":"x"}'
    ])
    assert.deepStrictEqual(read(`[${answer},{"level":"info"}]`).noise, ['{"level":"info"}'])
    assert.deepStrictEqual(textsOf(`[${answer},{"level":"info"}]`), [answer])
  })

  it.each([
    `  ${answer}\t`,
    `\uFEFF${answer}`,
    `\uFEFF \uFEFF${answer}`,
    `\u001B[2K\u001B[0m${answer}`,
    `\u001B]0;my server\u0007${answer}`,
    `${answer}\u001B[39m`,
    `\u001B[?25l${answer} \u001B[?25h `
  ])("what a terminal would not show does not hide a message: %j", (line) => {
    assert.deepStrictEqual(textsOf(line), [answer])
  })

  it.each(["", " \t", "\uFEFF", "\u001B[0m", "\u001B]0;title\u001B\\"])("%j is a blank line", (line) => {
    assert.deepStrictEqual(read(line), { messages: [], noise: [] })
  })

  it("the same bytes give the same messages, however they are split", () => {
    const message = fc.record({ jsonrpc: fc.constant("2.0"), id: fc.nat(), result: fc.jsonValue() })
    const part = fc.oneof(
      message.map((json) => ({ text: JSON.stringify(json), isMessage: true })),
      fc
        .constantFrom("", " ", "log 10%", '{"level":"info"}', "\u001B[32mgrün\u001B[39m", "😀")
        .map((text) => ({ text, isMessage: false }))
    )
    const line = fc.record({
      part,
      before: fc.constantFrom("", "\uFEFF", "\u001B[0m"),
      end: fc.constantFrom("\n", "\r\n", "\r", "\n\n")
    })
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 20 }), (all, cuts) => {
        const bytes = new TextEncoder().encode(
          all.map(({ before, end, part: { text } }) => before + text + end).join("")
        )
        const reader = makeLineReader({
          maxBytes: 10_000,
          lineEnd: "crOrLf",
          onTooLong: () => new LongMessageReader()
        })
        const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)
        const read = ends.flatMap((end, index) => reader.read(bytes.subarray(ends[index - 1] ?? 0, end)))
        const texts = [...read, ...reader.finish()].flatMap((found) =>
          typeof found === "string" ? textsOf(found) : assert.fail("no line is too long")
        )
        assert.deepStrictEqual(
          texts,
          all.filter(({ part: { isMessage } }) => isMessage).map(({ part: { text } }) => text)
        )
      })
    )
  })
})
