import { assert, describe, it } from "@effect/vitest"
import { applyMutant, describeMutant, mutantsOf } from "../src/Mutants.ts"

const changes = (source: string) => mutantsOf(source).map((mutant) => describeMutant(source, mutant))

describe("mutants", () => {
  it("a condition is made true, made false, and its operator is changed", () => {
    assert.deepStrictEqual(changes("const f = (a: number) => { if (a < 1) g() }"), [
      "a < 1 -> true",
      "a < 1 -> false",
      "a < 1 -> a <= 1",
      "g() -> ;"
    ])
  })

  it("a text is emptied, but no type, no module name and no name of a span", () => {
    assert.deepStrictEqual(
      changes('import a from "a"\ntype T = "b"\nconst c = "c"\nconst d = Effect.fn("d")\nexport * from "e"'),
      ['"c" -> ""']
    )
  })

  it("a step of a pipe is left out", () => {
    assert.deepStrictEqual(changes("const b = a.pipe(c, d)"), ["c -> (self) => self", "d -> (self) => self"])
  })

  it("a default, a negation and a truth value are changed", () => {
    assert.deepStrictEqual(changes("const f = [a ?? b, !c, true, d && e]"), [
      "a ?? b -> a",
      "!c -> c",
      "true -> false",
      "d && e -> d || e"
    ])
  })

  it("a mutant is the source with one place changed", () => {
    const source = "const a = b > 1"
    assert.deepStrictEqual(
      mutantsOf(source).map((mutant) => applyMutant(source, mutant)),
      ["const a = b >= 1"]
    )
  })
})
