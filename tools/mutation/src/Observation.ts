import type { VitestRuns } from "./VitestRuns.ts"
import type { Entry } from "./WorkerPlan.ts"

/** What every test does without a mutant. */
export interface Observation {
  readonly tests: ReadonlyArray<ObservedTest>
  /** By mutant: the test files that evaluate it while their modules load. */
  readonly loadedBy: ReadonlyMap<number, ReadonlyArray<string>>
  /** By mutant: the most that a test has evaluated it. */
  readonly evaluations: Readonly<Record<string, number>>
}

export interface ObservedTest {
  readonly file: string
  /** Its number in the file, in the order in which tests run. */
  readonly test: number
  readonly name: string
  readonly ms: number
  readonly reached: ReadonlySet<number>
}

export const observe = async (vitest: VitestRuns, omitted: RegExp | undefined): Promise<Observation> => {
  const entries: Array<Entry> = []
  await vitest.run({ kind: "observation", omitted: omitted?.source }, vitest.testFiles, {
    onEntry: (entry) => entries.push(entry),
    silenceMs: 300_000
  })
  const tests = entries.flatMap((entry) => (entry.kind === "test" ? [entry] : []))
  const files = entries.flatMap((entry) => (entry.kind === "file" ? [entry] : []))
  const failures = entries.flatMap((entry) => {
    if (entry.kind === "unloadable") return [`${entry.file}: ${entry.problem}`]
    return entry.kind === "test" && !entry.isGreen ? [`${entry.file}: ${entry.name}`] : []
  })
  if (failures.length > 0) throw new Error(["Without a mutant these fail:", ...failures].join("\n  "))
  if (files.length < vitest.testFiles.length) throw new Error("Not every test file was run")
  const loadedBy = new Map<number, Array<string>>()
  for (const { file, loaded } of files) {
    for (const mutant of loaded) loadedBy.set(mutant, [...(loadedBy.get(mutant) ?? []), file])
  }
  const evaluations: Record<string, number> = {}
  for (const { reached } of tests) {
    for (const [mutant, count] of Object.entries(reached)) {
      evaluations[mutant] = Math.max(evaluations[mutant] ?? 0, count)
    }
  }
  return {
    tests: tests.map(({ file, ms, name, reached, test }) => {
      return { file, test, name, ms, reached: new Set(Object.keys(reached).map(Number)) }
    }),
    loadedBy,
    evaluations
  }
}
