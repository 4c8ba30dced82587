import type { VitestRuns } from "./VitestRuns.ts"
import type { Entry, TestEffort } from "./WorkerPlan.ts"

/** What every test does without a mutant. */
export interface Observation {
  readonly tests: ReadonlyArray<ObservedTest>
  /** By mutant: the test files that evaluate it while their modules load. */
  readonly loadedBy: ReadonlyMap<number, ReadonlyArray<string>>
}

export interface ObservedTest {
  readonly file: string
  /** Its number in the file, in the order in which tests run. */
  readonly test: number
  readonly name: string
  readonly effort: TestEffort
  readonly reached: ReadonlySet<number>
}

export const observe = async (vitest: VitestRuns, omitted: RegExp | undefined): Promise<Observation> => {
  const entries: Array<Entry> = []
  await vitest.run({ kind: "observation", omitted: omitted?.source }, vitest.testFiles, {
    onEntry: (entry) => entries.push(entry),
    silenceMs: () => 300_000
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
  return {
    tests: tests.map(({ file, ms, name, reached, test }) => {
      const evaluations = Object.values(reached).reduce((sum, count) => sum + count, 0)
      return {
        file,
        test,
        name,
        effort: { ms, evaluations },
        reached: new Set(Object.keys(reached).map(Number))
      }
    }),
    loadedBy
  }
}
