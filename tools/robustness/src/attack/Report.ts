import type { Attack, Outcome } from "./Attack.ts"

/** Whether anything got through. */
export const gotThrough = ({ through }: Outcome): number =>
  [...through.values()].reduce((sum, count) => sum + count, 0)

/** Lines of what got through that are shown. */
const mostLines = 8

/** A line for the attack, and one for each kind of thing that got through. */
export const report = ({ name }: Attack, outcome: Outcome, seconds: number): string => {
  const count = gotThrough(outcome)
  const figures = [...outcome.figures].map(([figure, value]) => `${figure} ${value}`)
  const head = [
    count === 0 ? "held   " : "THROUGH",
    name.padEnd(26),
    `tried ${outcome.tried}, got through ${count}`,
    ...figures,
    `(${seconds.toFixed(1)} s)`
  ]
  const kinds = [...outcome.through].map(
    ([what, times]) => `        - ${what}${times > 1 ? ` (${times})` : ""}`
  )
  const shown =
    kinds.length > mostLines
      ? [...kinds.slice(0, mostLines), `        - and ${kinds.length - mostLines} more`]
      : kinds
  return [head.join("  "), ...shown].join("\n")
}
