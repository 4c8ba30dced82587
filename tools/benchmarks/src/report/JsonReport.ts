import { availableParallelism, cpus, totalmem } from "node:os"
import type { Measurement } from "../measurement/Measurement.ts"
import type { MeasurementResult } from "../measurement/Result.ts"
import { judge } from "../measurement/Verdict.ts"
import { medianOf } from "./Table.ts"

/** On what the figures were measured. */
export const machine = () => ({
  processor: cpus()[0]?.model ?? "unknown",
  cores: availableParallelism(),
  memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  node: process.version,
  system: `${process.platform} ${process.arch}`
})

/** All that is known of a run, for programs. */
export const jsonReport = (
  results: ReadonlyArray<{ readonly measurement: Measurement; readonly result: MeasurementResult }>
): string => `${JSON.stringify({ machine: machine(), measurements: results.map(measured) }, undefined, 2)}\n`

const measured = ({
  measurement,
  result
}: {
  readonly measurement: Measurement
  readonly result: MeasurementResult
}) => ({
  name: measurement.name,
  measures: measurement.measures,
  figures: measurement.rows,
  contenders: [...result.rivals, result.ours].map((contender) => ({
    name: contender.name,
    isOurs: contender === result.ours,
    medians: Object.fromEntries(measurement.rows.map(({ figure }) => [figure, medianOf(contender, figure)])),
    rounds: contender.rounds
  })),
  skipped: result.skipped,
  targets: measurement.targets.map((target) => judge(result, target))
})
