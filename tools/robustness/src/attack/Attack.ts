import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** How an attack is carried out. */
export interface Form {
  /** Less of it, for continuous integration: what depends on the machine's speed is judged generously. */
  readonly isShort: boolean
}

/** What came of an attack. */
export interface Outcome {
  readonly tried: number
  /** What got through, a line each; how often is counted apart. */
  readonly through: ReadonlyMap<string, number>
  /** Measured values by what they are. */
  readonly figures: ReadonlyMap<string, string>
}

export interface Attack {
  /** As `--only` takes it. */
  readonly name: string
  /** What is tried, and what counts as got through. */
  readonly tries: string
  readonly run: (form: Form) => Effect.Effect<Outcome, Error, Scope.Scope>
}

/** Counts what is tried and what gets through. */
export interface Tally {
  /** One try: `through` says what got through, unless it was held. */
  readonly expect: (isHeld: boolean, through: string) => void
  readonly figure: (name: string, value: number | string, unit?: string) => void
  readonly outcome: () => Outcome
}

export const makeTally = (): Tally => {
  const through = new Map<string, number>()
  const figures = new Map<string, string>()
  const counts = { tried: 0 }
  return {
    expect: (isHeld, what) => {
      counts.tried += 1
      if (!isHeld) through.set(what, (through.get(what) ?? 0) + 1)
    },
    figure: (name, value, unit = "") =>
      void figures.set(name, typeof value === "number" ? `${rounded(value)}${unit}` : value),
    outcome: () => ({ tried: counts.tried, through, figures })
  }
}

const rounded = (value: number): string =>
  Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 10 ? 2 : 0)
