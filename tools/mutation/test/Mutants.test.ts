import { assert, describe, it } from "@effect/vitest"
import { describeMutant, mutantsOf } from "../src/Mutants.ts"

const changes = (source: string) => mutantsOf(source).map((mutant) => describeMutant(source, mutant))

describe("mutants", () => {
  it("a condition is made true, made false, and its operator is changed", () => {
    assert.deepStrictEqual(changes("const f = (a: number) => { if (a < 1) g() }"), [
      "a < 1 -> true",
      "a < 1 -> false",
      "a < 1 -> a <= 1",
      "g() -> nothing"
    ])
  })

  it("a text is emptied, but no type, no module name, no name of a span and no key of a service", () => {
    assert.deepStrictEqual(
      changes(
        [
          'import a from "a"',
          'type T = "b"',
          'const c = "c"',
          'const d = Effect.fn("d")',
          'const e = import("e")',
          'const f = "@secure-mcp/f"',
          'export * from "g"'
        ].join("\n")
      ),
      ['"c" -> ""']
    )
  })

  it("a line of the log is not left out", () => {
    assert.deepStrictEqual(changes('const f = function* () { yield* Effect.logWarning("a") }'), [])
  })

  it("a template and the elements of a list are emptied", () => {
    assert.deepStrictEqual(changes("const a = [`b${c}`]"), ["[`b${c}`] -> []", '`b${c}` -> ""'])
  })

  it("a step of a pipe is left out, unless it is a span", () => {
    assert.deepStrictEqual(changes('const b = a.pipe(c, Effect.withSpan("e"), d)'), [
      "c -> (self) => self",
      "d -> (self) => self"
    ])
  })

  it("the name of a span and the words of a warning are for people, and what they are about is not", () => {
    assert.deepStrictEqual(changes('const b = [inSpan("c")(!d), orWarn("written")(!e)]').slice(1), [
      "!d -> d",
      "!e -> e"
    ])
  })

  it("a default, a negation and a truth value are changed", () => {
    assert.deepStrictEqual(changes("const f = [a ?? b, !c, true, d && e]").slice(1), [
      "a ?? b -> a",
      "!c -> c",
      "true -> false",
      "d && e -> d || e"
    ])
  })

  it("a sum is changed unless it is a text", () => {
    assert.deepStrictEqual(changes('const f = (a: number) => a + 1 + Number("" + a)'), [
      'a + 1 + Number("" + a) -> a + 1 - Number("" + a)',
      "a + 1 -> a - 1"
    ])
  })

  it("a method is swapped or left out, but not inside an optional chain", () => {
    assert.deepStrictEqual(changes("const a = [b.some(c), d.trim(), e?.f.trim(), Math.min(g, h)]").slice(1), [
      "b.some(c) -> b.every(c)",
      "d.trim() -> d",
      "Math.min(g, h) -> Math.max(g, h)"
    ])
  })
})
