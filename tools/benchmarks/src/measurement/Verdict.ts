import type { MeasurementResult } from "./Result.ts"
import { median } from "./Statistics.ts"
import type { Target } from "./Target.ts"

/** How a target was met. */
export interface Verdict {
  readonly target: Target
  /** The median of ours. */
  readonly ours: number
  /** The median of what it is compared with; without a reference 1. */
  readonly reference: number
  /** The median of the ratios of the rounds. */
  readonly ratio: number
  readonly isReached: boolean
}

/** Judges the ratios round by round, because a busy machine changes from round to round, and takes their median. */
export const judge = (result: MeasurementResult, target: Target): Verdict => {
  const rounds = result.ours.rounds.map((figures, round) => {
    const ours = figures[target.figure] ?? Number.NaN
    const reference = referenceIn(result, target, round)
    return { ours, reference, share: ours / (reference * target.factor + (target.plus ?? 0)) }
  })
  const share = median(rounds.map(({ share }) => share))
  return {
    target,
    ours: median(rounds.map(({ ours }) => ours)),
    reference: median(rounds.map(({ reference }) => reference)),
    ratio: median(rounds.map(({ ours, reference }) => ours / reference)),
    isReached: target.bound === "at most" ? share <= 1 : share >= 1
  }
}

const referenceIn = (result: MeasurementResult, { bound, figure, of }: Target, round: number): number => {
  if (of === undefined) return 1
  if ("ours" in of) return result.ours.rounds[round]?.[of.ours] ?? Number.NaN
  const values = result.rivals
    .filter(({ name }) => of.rivals.includes(name))
    .map(({ rounds }) => rounds[round]?.[of.figure ?? figure] ?? Number.NaN)
    .filter((value) => !Number.isNaN(value))
  if (values.length === 0) return Number.NaN
  return bound === "at most" ? Math.min(...values) : Math.max(...values)
}
