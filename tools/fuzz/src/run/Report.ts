import type { Finding } from "./Round.ts"
import type { TargetResult } from "./Session.ts"

/** An input that is longer is shown by its file alone. */
const longestShown = 500

/** The line of a target. */
export const describeResult = ({ findings, name, tried }: TargetResult): string =>
  `${findings.length === 0 ? "held  " : "BROKEN"}  ${name.padEnd(20)} ${String(tried).padStart(8)} inputs`

/** What was found, and how to see it again. */
export const describeFinding = ({ input, problem, seed, target }: Finding, file: string): string => {
  const text = JSON.stringify(input)
  return [
    `${target} broke an invariant: ${problem}`,
    ...(seed === undefined ? [] : [`  seed    ${seed}`]),
    `  input   ${text.length > longestShown ? `${text.slice(0, longestShown)}… (${text.length} characters)` : text}`,
    `  file    ${file}`,
    `  replay  npm run fuzz -- --input ${file}`,
    ...(seed === undefined ? [] : [`          npm run fuzz -- --target ${target} --seed ${seed}`])
  ].join("\n")
}
