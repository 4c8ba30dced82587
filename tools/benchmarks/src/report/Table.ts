import type { Measurement, Row } from "../measurement/Measurement.ts"
import type { ContenderResult, MeasurementResult } from "../measurement/Result.ts"
import { median } from "../measurement/Statistics.ts"
import type { Target } from "../measurement/Target.ts"
import { judge } from "../measurement/Verdict.ts"
import { inWords, withUnit } from "./Numbers.ts"

/** The median of a contender's rounds. */
export const medianOf = ({ rounds }: ContenderResult, figure: string): number =>
  median(rounds.map((figures) => figures[figure] ?? Number.NaN))

/** The figures of a measurement: a line each, a column for each contender, ours last. */
export const cellsOf = (
  measurement: Measurement,
  result: MeasurementResult
): ReadonlyArray<ReadonlyArray<string>> => {
  const contenders = [...result.rivals, result.ours]
  return [
    [measurement.name, ...contenders.map(({ name }) => name)],
    ...measurement.rows.map(({ figure, title, unit }) => [
      title,
      ...contenders.map((one) => withUnit(medianOf(one, figure), unit))
    ])
  ]
}

/** For a terminal: the first column to the left, the others to the right. */
export const aligned = (cells: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0))
  )
  const line = (row: ReadonlyArray<string>) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)
    )
  return cells.map((row) => `  ${line(row).join("   ").trimEnd()}`).join("\n")
}

/** What a target asks for, in words. */
export const describeTarget = (
  measurement: Measurement,
  { bound, factor, figure, of, plus = 0 }: Target
): string => {
  const { unit } = rowOf(measurement, figure)
  const more = plus === 0 ? "" : ` + ${withUnit(plus, unit)}`
  const sign = bound === "at most" ? "≤" : "≥"
  if (of === undefined) return `${sign} ${withUnit(factor, unit)}`
  const what = "ours" in of ? `"${rowOf(measurement, of.ours).title}"` : of.rivals.join(" or ")
  return `${sign} ${inWords(factor)} × ${what}${more}`
}

/** A line for each target: reached or missed, and by how much. */
export const verdictLines = (
  measurement: Measurement,
  result: MeasurementResult
): ReadonlyArray<{ readonly isReached: boolean; readonly text: string }> =>
  measurement.targets.map((target) => {
    const row = rowOf(measurement, target.figure)
    const { isReached, ours, ratio } = judge(result, target)
    const actual = target.of === undefined ? withUnit(ours, row.unit) : `${inWords(ratio)} ×`
    const goal = describeTarget(measurement, target)
    return {
      isReached,
      text: `${isReached ? "reached" : "MISSED "}  ${measurement.name}: ${row.title} ${actual} (${goal})`
    }
  })

export const rowOf = ({ name, rows }: Measurement, figure: string): Row => {
  const row = rows.find((row) => row.figure === figure)
  if (row === undefined) throw new Error(`${name} has no row ${figure}`)
  return row
}
