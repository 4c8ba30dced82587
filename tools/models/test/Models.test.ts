import { assert, describe, it } from "@effect/vitest"
import { gccProgram, requireProgram, spinProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { globSync, readFileSync } from "node:fs"
import { resolve } from "node:path"
import { fullChecks, ruleChecks, switchOf } from "../src/Checks.ts"
import { checkModel, renewalModel } from "../src/Spin.ts"

const [spin, gcc] = [requireProgram(spinProgram), requireProgram(gccProgram)]
const checker = spin === undefined || gcc === undefined ? undefined : { spin, gcc }
const root = resolve(import.meta.dirname, "../../..")
const model = readFileSync(renewalModel, "utf8")

describe.skipIf(checker === undefined)("the model of renewal", () => {
  for (const { name, ...run } of fullChecks)
    it.effect(`the model of renewal keeps its invariants: ${name}`, () =>
      Effect.gen(function* () {
        if (checker === undefined) return assert.fail()
        const verdict = yield* checkModel(checker, renewalModel, run)
        assert.deepInclude(verdict, { error: undefined, complete: true })
        assert.isAbove(verdict.states, 1000)
      })
    )

  for (const { bounds, invariant, rule } of ruleChecks)
    it.effect(`the model of renewal violates invariant ${invariant} without the rule "${rule}"`, () =>
      Effect.gen(function* () {
        if (checker === undefined) return assert.fail()
        const verdict = yield* checkModel(checker, renewalModel, { bounds, without: switchOf(rule) })
        assert.strictEqual(verdict.invariant, invariant)
      })
    )
})

describe("what is written about the model of renewal", () => {
  it("each rule of the model is taken out by a check, and explained in its README", () => {
    const switches = new Set([...model.matchAll(/WITHOUT_[A-Z_]+/g)].map(([name]) => name))
    assert.deepStrictEqual([...switches].toSorted(), ruleChecks.map(({ rule }) => switchOf(rule)).toSorted())
    const readme = readFileSync(resolve(root, "docs/models/README.md"), "utf8").replaceAll(/ {2,}/g, " ")
    assert.deepStrictEqual(
      ruleChecks.filter(({ invariant, rule }) => !readme.includes(`| ${rule} | ${invariant} |`)),
      []
    )
    assert.deepStrictEqual(
      fullChecks.filter(({ name }) => !readme.includes(`| ${name} |`)),
      []
    )
  })

  it("the steps of the model are those that the comments of the code name", () => {
    const inModel = [...model.matchAll(/^mtype:\w+ = \{ \w+, (.*) \}$/gm)].flatMap(([, names = ""]) =>
      names.split(", ")
    )
    const inCode = globSync("packages/*/src/**/*.ts", { cwd: root }).flatMap((file) =>
      // A comment goes over several lines, of which it needs the words only.
      [
        ...readFileSync(resolve(root, file), "utf8")
          .replaceAll(/\s+\*?\s*/g, " ")
          .matchAll(/\b[Ss]teps? ((?:`\w+`(?:, | and )?)+) of docs\/models\/renewal\.pml/g)
      ].flatMap(([, names = ""]) => [...names.matchAll(/\w+(?=`)/g)].map(([name]) => name))
    )
    assert.deepStrictEqual(inCode.toSorted(), inModel.toSorted())
  })
})
