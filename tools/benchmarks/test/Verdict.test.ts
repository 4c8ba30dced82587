import { assert, describe, it } from "@effect/vitest"
import { percentile, median } from "../src/measurement/Statistics.ts"
import { atLeast, atMost } from "../src/measurement/Target.ts"
import { judge } from "../src/measurement/Verdict.ts"

const contender = (name: string, ...cpu: ReadonlyArray<number>) => ({
  name,
  rounds: cpu.map((value) => ({ cpu: value, one: value / 2 }))
})

const result = {
  name: "a-measurement",
  ours: contender("gateway", 100, 220, 90),
  rivals: [contender("slow", 200, 400, 300), contender("quick", 100, 200, 100)],
  skipped: []
}

describe("the judge of a target", () => {
  it("a target compares round by round, and takes the median of the ratios", () => {
    const verdict = judge(result, atMost("cpu", 1, { rivals: ["quick"] }))
    assert.deepStrictEqual(
      [verdict.ours, verdict.reference, verdict.ratio, verdict.isReached],
      [100, 100, 1, true]
    )
    assert.isFalse(judge(result, atMost("cpu", 0.99, { rivals: ["quick"] })).isReached)
  })

  it("the best rival of a round is the smallest where less is better and the largest where more is", () => {
    const both = { rivals: ["slow", "quick", "not installed"] }
    assert.strictEqual(judge(result, atMost("cpu", 1, both)).ratio, 1)
    assert.strictEqual(judge(result, atLeast("cpu", 1, both)).ratio, 0.5)
  })

  it("a figure may be compared with another figure of ours, or with a number", () => {
    assert.strictEqual(judge(result, atMost("cpu", 1, { ours: "one" })).ratio, 2)
    assert.isTrue(judge(result, atMost("cpu", 100)).isReached)
    assert.isFalse(judge(result, atMost("cpu", 99)).isReached)
  })

  it("what a target adds to the product counts", () => {
    const quick = { rivals: ["quick"] }
    assert.isFalse(judge(result, atMost("cpu", 0.5, quick)).isReached)
    assert.isTrue(judge(result, atMost("cpu", 0.5, quick, 50)).isReached)
  })

  it("a figure or a rival that is not there reaches nothing", () => {
    assert.isFalse(judge(result, atMost("missing", 1)).isReached)
    assert.isFalse(judge(result, atLeast("cpu", 0, { rivals: ["not installed"] })).isReached)
  })
})

describe("the statistics", () => {
  it("the median of an even count lies between the two in the middle", () => {
    assert.deepStrictEqual([median([4, 1, 3]), median([4, 1, 3, 2]), median([])], [3, 2.5, Number.NaN])
  })

  it("a percentile is the value that so many do not exceed", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
    assert.deepStrictEqual([percentile(hundred, 0.5), percentile(hundred, 0.99)], [50, 99])
    assert.deepStrictEqual([percentile([7], 0.99), percentile([], 0.5)], [7, Number.NaN])
  })
})
