import { accepted } from "./Accepted.ts"

export interface Tried {
  readonly file: string
  readonly line: number
  /** As `describeMutant` names it. */
  readonly name: string
  readonly isNoticed: boolean
}

/** Percent of the mutants that a test notices; those that are accepted do not count. */
const leastScore = 85

/** Says what survived and the score of each file. Returns whether the score is high enough. */
export const report = (target: string, tried: ReadonlyArray<Tried>, say: (line: string) => void): boolean => {
  for (const { file, line, name } of tried.filter((each) => !each.isNoticed && !isAccepted(each))) {
    say(`${file}:${line}: survived: ${name}`)
  }
  for (const [file, inFile] of Map.groupBy(tried, (each) => each.file)) say(`${file}: ${figures(inFile)}`)
  say(`${target}: ${figures(tried)}`)
  return scoreOf(tried) >= leastScore
}

const isAccepted = ({ file, name }: Tried) =>
  accepted.some((entry) => entry.file === file && entry.mutants.includes(name))

const count = (tried: ReadonlyArray<Tried>) => {
  const noticed = tried.filter((each) => each.isNoticed).length
  const left = tried.filter((each) => !each.isNoticed && isAccepted(each)).length
  return { noticed, left, survived: tried.length - noticed - left }
}

const scoreOf = (tried: ReadonlyArray<Tried>): number => {
  const { noticed, survived } = count(tried)
  return noticed + survived === 0 ? 100 : (100 * noticed) / (noticed + survived)
}

const figures = (tried: ReadonlyArray<Tried>): string => {
  const { left, noticed, survived } = count(tried)
  return `${noticed} of ${noticed + survived} killed, ${scoreOf(tried).toFixed(1)} %, ${left} accepted`
}
