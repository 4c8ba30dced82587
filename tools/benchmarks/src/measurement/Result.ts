import type { Figures } from "./Measurement.ts"

/** What one contender did, one entry a round. */
export interface ContenderResult {
  readonly name: string
  readonly rounds: ReadonlyArray<Figures>
}

/** A measurement that was carried out. */
export interface MeasurementResult {
  readonly name: string
  readonly ours: ContenderResult
  readonly rivals: ReadonlyArray<ContenderResult>
  /** Rivals that did not take part, and why. */
  readonly skipped: ReadonlyArray<string>
}
