import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Broken } from "../process/Broken.ts"
import type { Contender, Figures, Measurement, Run, Take } from "./Measurement.ts"
import type { ContenderResult, MeasurementResult } from "./Result.ts"

interface Started {
  readonly name: string
  readonly take: Take
  readonly rounds: Array<Figures>
}

/** A contender that is still not done then hangs. */
const longestStep = "6 minutes"

/**
 * Starts all contenders, and then lets them do the same work in turn, so that a machine that is slower for a while is
 * slower for all. Every second round goes backwards. A rival that is not installed, or breaks, is left out.
 */
export const carryOut = Effect.fnUntraced(function* (measurement: Measurement, run: Run) {
  const skipped: Array<string> = []
  const rivals: Array<Started> = []
  for (const rival of measurement.rivals) {
    const started = yield* Effect.result(start(rival, run))
    if (Result.isSuccess(started)) rivals.push(started.success)
    else skipped.push(started.failure.message)
  }
  const ours = yield* start(measurement.ours, run)
  const broken = new Set<Started>()
  for (let round = 0; round < run.rounds; round++) {
    const all = [...rivals, ours].filter((one) => !broken.has(one))
    for (const one of round % 2 === 0 ? all : all.toReversed()) {
      const figures = yield* Effect.result(take(one))
      if (Result.isSuccess(figures)) one.rounds.push(figures.success)
      else if (one === ours) return yield* figures.failure
      else {
        broken.add(one)
        skipped.push(figures.failure.message)
      }
    }
  }
  return {
    name: measurement.name,
    ours: resultOf(ours),
    rivals: rivals.filter((one) => !broken.has(one)).map(resultOf),
    skipped
  } satisfies MeasurementResult
}, Effect.scoped)

const start = (contender: Contender, run: Run) =>
  contender.start(run).pipe(
    Effect.map((take): Started => ({ name: contender.name, take, rounds: [] })),
    Effect.catchDefect((defect) => Effect.fail(brokenBy(contender, defect))),
    withinReason(contender)
  )

const take = (one: Started) =>
  withinReason(one)(Effect.tryPromise({ try: () => one.take(), catch: (error) => brokenBy(one, error) }))

const brokenBy = ({ name }: { readonly name: string }, error: unknown) =>
  new Broken({ contender: name, reason: error instanceof Error ? error.message : String(error) })

const withinReason = ({ name }: { readonly name: string }) =>
  Effect.timeoutOrElse({
    duration: longestStep,
    orElse: () => Effect.fail(new Broken({ contender: name, reason: `it was not done in ${longestStep}` }))
  })

const resultOf = ({ name, rounds }: Started): ContenderResult => ({ name, rounds })
