import { constants } from "node:os"

/** How a child process ended. */
export interface ChildEnd {
  readonly code: number | undefined
  readonly signal: NodeJS.Signals | undefined
}

/** How a child process ended, for people: `exited with code 1`. */
export const describeEnd = ({ code, signal }: ChildEnd): string =>
  signal === undefined ? `exited with code ${code ?? "unknown"}` : `was ended by the signal ${signal}`

/** The exit code of a command that ends as its child did: that of the child, or 128 and the number of the signal, as in a shell. */
export const exitCodeOf = ({ code, signal }: ChildEnd): number =>
  signal === undefined ? (code ?? 1) : 128 + constants.signals[signal]
