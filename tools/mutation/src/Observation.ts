import type { VitestRuns } from "./VitestRuns.ts"
import type { Entry, TestEffort } from "./WorkerPlan.ts"

/** What every test does without a mutant. */
export interface Observation {
  /** Tests that fail without a mutant. They say nothing about mutants. */
  readonly red: ReadonlyArray<string>
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
  const unloadable = entries.flatMap((entry) =>
    entry.kind === "unloadable" ? [`${entry.file}: ${entry.problem}`] : []
  )
  if (unloadable.length > 0) throw new Error(["Test files cannot be loaded:", ...unloadable].join("\n  "))
  if (files.length < vitest.testFiles.length) throw new Error("Not every test file was run")
  const loadedBy = new Map<number, Array<string>>()
  for (const { file, loaded } of files) {
    for (const mutant of loaded) loadedBy.set(mutant, [...(loadedBy.get(mutant) ?? []), file])
  }
  return {
    red: tests.filter(({ isGreen }) => !isGreen).map(({ file, name }) => `${file}: ${name}`),
    tests: tests
      .filter(({ isGreen }) => isGreen)
      .map(({ file, ms, name, reached, test }) => {
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
