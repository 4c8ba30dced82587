import type { Measurement } from "../measurement/Measurement.ts"
import type { MeasurementResult } from "../measurement/Result.ts"
import { judge } from "../measurement/Verdict.ts"
import { machine } from "./JsonReport.ts"
import { inWords, withUnit } from "./Numbers.ts"
import { cellsOf, describeTarget, rowOf } from "./Table.ts"

const begin = "<!-- Written by `npm run bench -- --write-docs`: begin -->"
const end = "<!-- Written by `npm run bench -- --write-docs`: end -->"

/** A measurement, and what came of it; without a result it could not be carried out. */
export interface Outcome {
  readonly measurement: Measurement
  readonly result: MeasurementResult | undefined
}

/** The page with the part between its two marks replaced by these results. */
export const updatePage = (page: string, outcomes: ReadonlyArray<Outcome>): string => {
  const [before, rest] = page.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined)
    throw new Error(`The page must have the lines ${begin} and ${end}`)
  return [before, begin, "\n\n", results(outcomes), "\n\n", end, after].join("")
}

const results = (outcomes: ReadonlyArray<Outcome>): string => {
  const { cores, memory, node, processor, system } = machine()
  return [
    `Measured on ${cores} cores (${processor}), ${memory}, ${system}, Node ${node}.`,
    markdownTable([
      ["measurement", "figure", "compared with", "ours", "ratio", "goal"],
      ...outcomes.flatMap(goalsOf)
    ]),
    ...outcomes.map(sectionOf)
  ].join("\n\n")
}

/** A line of the table for each target. */
const goalsOf = ({ measurement, result }: Outcome): ReadonlyArray<ReadonlyArray<string>> => {
  const link = `[\`${measurement.name}\`](#${measurement.name})`
  if (result === undefined) return [[link, "could not be measured", "", "", "", ""]]
  return measurement.targets.map((target) => {
    const { title, unit } = rowOf(measurement, target.figure)
    const { isReached, ours, ratio, reference } = judge(result, target)
    const hasReference = target.of !== undefined
    return [
      link,
      title,
      hasReference ? withUnit(reference, unit) : "",
      withUnit(ours, unit),
      hasReference ? `${inWords(ratio)} ×` : "",
      `${describeTarget(measurement, target)}: ${isReached ? "reached" : "**missed**"}`
    ]
  })
}

const sectionOf = ({ measurement, result }: Outcome): string => {
  const { measures, name } = measurement
  const heading = `### ${name}\n\n${measures[0]?.toUpperCase()}${measures.slice(1)}.`
  if (result === undefined) return heading
  const [first = [], ...others] = cellsOf(measurement, result)
  return [
    heading,
    `![${name}](performance/${name}.svg)`,
    markdownTable([["", ...first.slice(1)], ...others]),
    ...result.skipped.map((skipped) => `Left out: ${skipped}.`)
  ].join("\n\n")
}

const markdownTable = ([head = [], ...rows]: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map((_, column) => (column === 0 ? "---" : "--:")), ...rows]
    .map((row) => `| ${row.join(" | ")} |`)
    .join("\n")
