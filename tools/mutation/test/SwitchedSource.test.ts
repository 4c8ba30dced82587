import { assert, describe, it } from "@effect/vitest"
import { type Mutant, mutantsOf } from "../src/Mutants.ts"
import { MutantSwitch } from "../src/MutantSwitch.ts"
import { switchedSource, switchName } from "../src/SwitchedSource.ts"

const numbered = ({ end, kind, replacement, start }: Mutant, id: number) => ({
  start,
  end,
  replacement,
  kind,
  id
})

/** What a function body returns with each of its mutants, the original first, and which of them the original reaches. */
const results = (body: string) => {
  const source = `const f = function () { ${body} }`
  const mutants = mutantsOf(source).map(numbered)
  const text = switchedSource(source, mutants)
  const mutantSwitch = new MutantSwitch()
  mutantSwitch.install()
  const f: unknown = new Function(`${text}; return f`)()
  if (typeof f !== "function") throw new Error("The source defines no function")
  const original: unknown = f()
  const reached = [...mutantSwitch.takeReached().keys()]
  const changed = mutants.map(({ id }): unknown => {
    mutantSwitch.activate(id, 100)
    return f()
  })
  return { original, reached, changed }
}

describe("the switched source", () => {
  it("a source with switches does what the source does, and with a mutant what the mutant does", () => {
    // 1 < 1: true, false, <=
    assert.deepStrictEqual(results("return 1 < 1 ? 'a' : 'b'"), {
      original: "b",
      // The condition is false already.
      reached: [0, 2, 4],
      changed: ["a", "b", "a", "b", ""]
    })
  })

  it("a mutant inside another one keeps its own place", () => {
    // (false && true) || true: && instead of ||, then || instead of && inside it, then the three values
    assert.deepStrictEqual(results("return false && true || true").changed, [false, true, true, true, false])
  })

  it("a statement is left out, also where it is the only one of a branch", () => {
    const body = "let a = 1; if (a > 0) a = 2\n else a = 3\n return a"
    // a > 0: true, false, >=; a = 2 left out; a = 3 left out
    assert.deepStrictEqual(results(body).changed, [2, 3, 2, 1, 2])
  })

  it("a mutant that loops for ever is stopped", () => {
    const mutantSwitch = new MutantSwitch()
    mutantSwitch.install()
    mutantSwitch.activate(7, 100)
    const isActive: unknown = Reflect.get(globalThis, switchName)
    if (typeof isActive !== "function") throw new Error("There is no switch")
    assert.throws(() => {
      while (isActive(7) === true) continue
    }, "endless loop")
  })
})
