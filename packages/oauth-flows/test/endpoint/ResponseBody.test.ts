import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Result from "effect/Result"
import { bodyText, longestAnswer, parseFields, readBytes } from "../../src/endpoint/ResponseBody.ts"

const problemOf = (body: string) => Result.getOrUndefined(Result.flip(parseFields(body)))
const fieldsOf = (body: string) => Result.getOrUndefined(parseFields(body))

/** A body that comes in these pieces. */
const responseOf = (...pieces: ReadonlyArray<string>) => {
  const bytes = pieces.map((piece) => new TextEncoder().encode(piece))
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (const piece of bytes) controller.enqueue(piece)
      controller.close()
    }
  })
  return HttpClientResponse.fromWeb(
    HttpClientRequest.get("https://as.example.com"),
    new Response(body, { headers: { "content-type": "application/json" } })
  )
}

describe("the fields of an answer", () => {
  it.each([
    ["", "its body is empty"],
    [" \n ", "its body is empty"],
    ["<html></html>", "it is an HTML or XML page, not JSON"],
    ["\n  <?xml version='1.0'?><a b='1'/>\n", "it is an HTML or XML page, not JSON"],
    ["a<", "it is neither a JSON object nor a form"],
    ["[]", "it is neither a JSON object nor a form"],
    ['"text"', "it is neither a JSON object nor a form"],
    ['{"a":', "its JSON is incomplete or malformed"],
    ["a=1&a=2", "its form has a parameter twice"]
  ])("the body %j is of no use: %s", (body, problem) => {
    assert.strictEqual(problemOf(body), problem)
  })

  it.each([
    ['  {"a":1}\n', { a: 1 }],
    ["a=1&b=2", { a: "1", b: "2" }],
    ["  a=1\n", { a: "1" }]
  ])("the body %j is read without the space around it", (body, fields) => {
    assert.deepStrictEqual(fieldsOf(body), fields)
  })

  it.each([
    ["commas", (count: number) => `{"a":[${Array.from({ length: count - 1 }, () => "1").join()}]}`],
    ["brackets", (count: number) => `{"a":"${"[".repeat(count - 1)}"}`],
    ["braces", (count: number) => `{"a":"${"{".repeat(count - 1)}"}`]
  ])("an object with 5000 %s is read, and one with more is not parsed", (_, ofValues) => {
    assert.isDefined(fieldsOf(ofValues(5000)))
    assert.strictEqual(problemOf(ofValues(5001)), "its JSON has over 5000 values")
  })
})

describe("the length of a body", () => {
  it.effect("a body of just the greatest length is read, in one piece or in several", () =>
    Effect.gen(function* () {
      for (const pieces of [["12345678"], ["123", "4567", "8"]]) {
        const bytes = yield* readBytes(responseOf(...pieces), 8)
        assert.deepStrictEqual(bodyText(bytes, undefined, 8), Result.succeed("12345678"))
      }
    })
  )

  const tooLong = [
    [["123", "4567", "89"], 8, "its body is over 0.0078125 KiB"],
    [["x".repeat(1025)], 1024, "its body is over 1 KiB"],
    [["x".repeat(1024 * 1024), "y"], longestAnswer, "its body is over 1 MiB"]
  ] as const
  it.effect.each(tooLong)("a longer body is refused, and the limit is said", ([pieces, limit, problem]) =>
    Effect.gen(function* () {
      const bytes = yield* readBytes(responseOf(...pieces), limit)
      assert.deepStrictEqual(bodyText(bytes, undefined, limit), Result.fail(problem))
    })
  )

  it("a body that is no UTF-8 text is refused", () => {
    const text = bodyText(new Uint8Array([0xff]), undefined, longestAnswer)
    assert.deepStrictEqual(text, Result.fail("its body is not UTF-8 text"))
  })
})
