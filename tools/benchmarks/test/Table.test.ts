import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { measurements } from "../src/Catalogue.ts"
import type { Measurement } from "../src/measurement/Measurement.ts"
import { atMost } from "../src/measurement/Target.ts"
import { aligned, cellsOf, verdictLines } from "../src/report/Table.ts"

const contender = (name: string) => ({ name, start: () => Effect.succeed(async () => ({})) })

const measurement: Measurement = {
  name: "a-measurement",
  measures: "something",
  ours: contender("gateway"),
  rivals: [contender("other")],
  rows: [
    { figure: "cpu", title: "CPU per request", unit: "µs" },
    { figure: "rate", title: "requests", unit: "/s" }
  ],
  targets: [atMost("cpu", 1.5, { rivals: ["other"] }), atMost("cpu", 10)]
}

const result = {
  name: "a-measurement",
  ours: { name: "gateway", rounds: [{ cpu: 12.34, rate: 81_000 }] },
  rivals: [{ name: "other", rounds: [{ cpu: 10 }] }],
  skipped: []
}

describe("the table of a measurement", () => {
  it("a table has a line for each figure and a column for each contender, ours last", () => {
    assert.strictEqual(
      aligned(cellsOf(measurement, result)),
      [
        "  a-measurement       other    gateway",
        "  CPU per request   10.0 µs    12.3 µs",
        "  requests                –   81,000/s"
      ].join("\n")
    )
  })

  it("each target has a line that says what was asked for and what was reached", () => {
    assert.deepStrictEqual(verdictLines(measurement, result), [
      { isReached: true, text: "reached  a-measurement: CPU per request 1.23 × (≤ 1.50 × other)" },
      { isReached: false, text: "MISSED   a-measurement: CPU per request 12.3 µs (≤ 10.0 µs)" }
    ])
  })
})

describe("the list of measurements", () => {
  it("each target names a row of its measurement and rivals that take part", () => {
    const wrong = measurements.flatMap(({ name, rivals, rows, targets }) =>
      targets
        .filter(
          ({ figure, of }) =>
            ![figure, ...(of !== undefined && "ours" in of ? [of.ours] : [])].every((one) =>
              rows.some((row) => row.figure === one)
            ) ||
            (of !== undefined &&
              "rivals" in of &&
              !of.rivals.every((one) => rivals.some((rival) => rival.name === one)))
        )
        .map(({ figure }) => `${name}: ${figure}`)
    )
    assert.deepStrictEqual(wrong, [])
  })
})
