import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { CouldNotStart } from "../process/CouldNotStart.ts"
import type { Target } from "./Target.ts"

/** How much is done, and what is recorded meanwhile. */
export interface Run {
  /** How often each contender is measured; their turns alternate. */
  readonly rounds: number
  /** The share of the full work: 1, or less to see only whether a measurement works. */
  readonly share: number
  /** The gateway's command: its bundle. */
  readonly bundle: string
  /** A folder in which the processes of this project write CPU profiles when they end. */
  readonly profileDirectory?: string | undefined
}

/** What was measured, by the name of the figure; every contender uses the same names. */
export type Figures = Readonly<Record<string, number>>

/** One round of a contender that runs: does the work and says what it took. */
export type Take = () => Promise<Figures>

/** One of those that do the same work. */
export interface Contender {
  readonly name: string
  /** Starts it, warms it up, and gives what measures one round. It runs until the scope closes. */
  readonly start: (run: Run) => Effect.Effect<Take, CouldNotStart, Scope.Scope>
}

/** A row of the table: how a figure is written. */
export interface Row {
  readonly figure: string
  readonly title: string
  /** Written behind the number: `µs`, `ms`, `MiB`, `/s`. */
  readonly unit: string
}

/** The same work, done by the gateway and by what people would use instead. */
export interface Measurement {
  readonly name: string
  /** What is measured, in one sentence. */
  readonly measures: string
  readonly ours: Contender
  readonly rivals: ReadonlyArray<Contender>
  readonly rows: ReadonlyArray<Row>
  readonly targets: ReadonlyArray<Target>
}
