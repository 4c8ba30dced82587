import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describeMutant, mutantsOf } from "../src/Mutants.ts"
import { observe } from "../src/Observation.ts"
import { switchedSource } from "../src/SwitchedSource.ts"
import { tryMutants } from "../src/Trials.ts"
import { VitestRuns } from "../src/VitestRuns.ts"

describe("a mutation run", () => {
  it("mutants that a test notices are told from those that none notices, and an endless loop is noticed", async () => {
    const file = join(import.meta.dirname, "fixtures/Counter.ts")
    const source = readFileSync(file, "utf8")
    const mutants = mutantsOf(source).map(({ end, kind, replacement, start }, id) => {
      return {
        start,
        end,
        replacement,
        kind,
        id,
        name: describeMutant(source, { start, end, replacement, kind })
      }
    })
    const nameOf = (id: number) => mutants.find((mutant) => mutant.id === id)?.name
    await using vitest = await VitestRuns.open(new Map([[file, switchedSource(source, mutants)]]), [
      "tools/mutation/test/fixtures"
    ])
    const observation = await observe(vitest, undefined)
    const noticed: Array<string | undefined> = []
    const survivors = await tryMutants(
      { vitest, observation, fileOf: () => file, onNoticed: (mutant) => noticed.push(nameOf(mutant)) },
      new Set(mutants.map(({ id }) => id))
    )
    assert.deepStrictEqual([...survivors].map(nameOf), [
      "count < 2 -> true",
      "count < 2 -> count <= 2",
      '"many" -> ""',
      "count === 0 -> count !== 0"
    ])
    assert.deepStrictEqual(noticed.toSorted(), [
      '"one" -> ""',
      '"piece" -> ""',
      "count += 1 -> nothing",
      "count < 2 -> false",
      "count < end -> count <= end",
      "count < end -> false",
      "count > 3 -> count >= 3"
    ])
  })
})
