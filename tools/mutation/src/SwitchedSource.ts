import type { Mutant } from "./Mutants.ts"

/** A mutant under the number that switches it on. */
export interface NumberedMutant extends Mutant {
  readonly id: number
}

/** The name of the global function that says whether a mutant is switched on. */
export const switchName = "__isMutantActive__"

/**
 * The name of the global function that is told the value of a condition, which it returns, and the value that a mutant
 * would give it.
 */
export const conditionName = "__conditionOfMutant__"

/**
 * The source with all of its mutants in it, each behind a switch. So the tests load it once, and not once for each
 * mutant.
 */
export const switchedSource = (source: string, mutants: ReadonlyArray<NumberedMutant>): string =>
  render(source, 0, source.length, mutants)

/** Outer places come before those inside them: `mutants` are in the order of `mutantsOf`. */
const render = (source: string, from: number, to: number, mutants: ReadonlyArray<NumberedMutant>): string => {
  const [first] = mutants
  if (first === undefined) return source.slice(from, to)
  const { end, start } = first
  const here = mutants.filter((mutant) => mutant.start === start && mutant.end === end)
  const inside = mutants.filter((mutant) => mutant.start < end && !here.includes(mutant))
  const behind = mutants.filter((mutant) => mutant.start >= end)
  return (
    source.slice(from, start) +
    here.reduceRight(withSwitch, render(source, start, end, inside)) +
    render(source, end, to, behind)
  )
}

const withSwitch = (original: string, { id, kind, replacement }: NumberedMutant): string => {
  switch (kind) {
    case "statement":
      return `{ if (${switchName}(${id})) {} else { ${original} } }`
    case "condition":
      return `(${switchName}(${id}, true) ? ${replacement} : ${conditionName}(${id}, ${replacement}, (${original})))`
    case "expression":
      return `(${switchName}(${id}) ? (${replacement}) : (${original}))`
  }
}
