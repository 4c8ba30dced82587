import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Contender, Figures, Measurement, Run, Take } from "./Measurement.ts"
import type { ContenderResult, MeasurementResult } from "./Result.ts"

interface Started {
  readonly name: string
  readonly take: Take
  readonly rounds: Array<Figures>
}

/**
 * Starts all contenders, and then lets them do the same work in turn, so that a machine that is slower for a while is
 * slower for all. Every second round goes backwards. A rival that is not installed is skipped.
 */
export const carryOut = Effect.fnUntraced(function* (measurement: Measurement, run: Run) {
  const skipped: Array<string> = []
  const rivals: Array<Started> = []
  for (const rival of measurement.rivals) {
    const started = yield* Effect.result(start(rival, run))
    if (Result.isSuccess(started)) rivals.push(started.success)
    else if (started.failure.isMissing === true) skipped.push(`${rival.name}: ${started.failure.reason}`)
    else return yield* started.failure
  }
  const ours = yield* start(measurement.ours, run)
  const all = [...rivals, ours]
  for (let round = 0; round < run.rounds; round++) {
    for (const one of round % 2 === 0 ? all : all.toReversed())
      one.rounds.push(yield* Effect.promise(() => one.take()))
  }
  return {
    name: measurement.name,
    ours: resultOf(ours),
    rivals: rivals.map(resultOf),
    skipped
  } satisfies MeasurementResult
}, Effect.scoped)

const start = (contender: Contender, run: Run) =>
  Effect.map(contender.start(run), (take): Started => ({ name: contender.name, take, rounds: [] }))

const resultOf = ({ name, rounds }: Started): ContenderResult => ({ name, rounds })
