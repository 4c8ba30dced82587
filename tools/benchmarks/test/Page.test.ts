import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Measurement } from "../src/measurement/Measurement.ts"
import { atMost } from "../src/measurement/Target.ts"
import { chart } from "../src/report/Chart.ts"
import { updatePage } from "../src/report/Page.ts"

const contender = (name: string) => ({ name, start: () => Effect.succeed(async () => ({})) })

const measurement: Measurement = {
  name: "a-measurement",
  measures: "something",
  ours: contender("gateway"),
  rivals: [contender("a <rival>")],
  rows: [{ figure: "cpu", title: "CPU", unit: "µs" }],
  targets: [atMost("cpu", 1, { rivals: ["a <rival>"] })]
}

const result = {
  name: "a-measurement",
  ours: { name: "gateway", rounds: [{ cpu: 15 }] },
  rivals: [{ name: "a <rival>", rounds: [{ cpu: 30 }] }],
  skipped: []
}

const begin = "<!-- Written by `npm run bench -- --write-docs`: begin -->"
const end = "<!-- Written by `npm run bench -- --write-docs`: end -->"

describe("the page of results", () => {
  it("only the part between the marks is replaced", () => {
    const page = updatePage(`# Before\n\n${begin}\nold\n${end}\n\n# After\n`, [{ measurement, result }])
    assert.match(page, /^# Before\n\n/)
    assert.match(page, /\n\n# After\n$/)
    assert.notInclude(page, "old")
    assert.include(page, "| CPU | 30.0 µs | 15.0 µs | 0.50 × | ≤ 1.00 × a <rival>: reached |")
    assert.strictEqual(updatePage(page, [{ measurement, result }]), page)
  })

  it("a measurement that could not be carried out has a line that says so", () => {
    const page = updatePage(`${begin}${end}`, [{ measurement, result: undefined }])
    assert.include(page, "could not be measured")
  })

  it("a page without the marks is left alone", () => {
    assert.throws(() => updatePage("# Nothing", []), /must have the lines/)
  })
})

describe("the picture of a measurement", () => {
  it("bars are as long as their values, and names are escaped", () => {
    const widths = [...chart(measurement, result).matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) =>
      Number(width)
    )
    assert.strictEqual(widths[0], 2 * (widths[1] ?? 0))
    assert.include(chart(measurement, result), "a &lt;rival&gt;")
  })
})
