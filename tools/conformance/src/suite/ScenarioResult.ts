import type { Result } from "./ExpectedFailures.ts"

/** How one scenario ended at one revision, by one way through the gateway. */
export interface ScenarioResult extends Result {
  readonly way: string
  readonly revision: string
  /** What happened, for people; each problem on a line of its own. */
  readonly summary: string
}
