import type * as Console from "effect/Console"
import { visibleText } from "./VisibleText.ts"

const visible = (values: ReadonlyArray<unknown>) =>
  values.map((value) => (typeof value === "string" ? visibleText(value) : value))

/**
 * The console of the process, which a terminal cannot be reached through: every text is shown with `visibleText`, in a
 * terminal and in a pipe, because what is in the pipe is read in a terminal later.
 *
 * @param console where it writes
 */
export const makeVisibleConsole = (console: Console.Console): Console.Console => ({
  ...console,
  debug: (...values) => console.debug(...visible(values)),
  error: (...values) => console.error(...visible(values)),
  info: (...values) => console.info(...visible(values)),
  log: (...values) => console.log(...visible(values)),
  warn: (...values) => console.warn(...visible(values))
})
