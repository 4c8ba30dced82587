import type { Observation, ObservedTest } from "./Observation.ts"
import type { VitestRuns } from "./VitestRuns.ts"
import type { Entry, ReloadJob, TestTrials } from "./WorkerPlan.ts"

export interface Trials {
  readonly vitest: VitestRuns
  readonly observation: Observation
  /** The source file of a mutant, as tests name theirs. */
  readonly fileOf: (mutant: number) => string
  /** Called soon, so that a run can be stopped at any time. `by` is the test file that noticed the mutant. */
  readonly onNoticed: (mutant: number, by: string) => void
}

/**
 * Tries each mutant with the tests that reach it, and then those that modules evaluate while they load with the tests
 * of the files that load them. Returns the mutants that no test noticed.
 */
export const tryMutants = async (
  trials: Trials,
  mutants: ReadonlySet<number>
): Promise<ReadonlySet<number>> => {
  const outcomes = new Outcomes(mutants, trials.onNoticed)
  const files = quickestFirst(trials.observation.tests)
  // The tests of the same room notice most.
  const isNearTest = (mutant: number, test: ObservedTest) => isNear(trials.fileOf(mutant), test.file)
  await untilNothingIsLeft(outcomes, () => tryInTests(trials, files, outcomes, isNearTest))
  const others = otherTests(trials.observation.tests, outcomes.alive)
  const isOtherTest = (mutant: number, test: ObservedTest) => others.get(mutant)?.has(test) === true
  await untilNothingIsLeft(outcomes, () => tryInTests(trials, files, outcomes, isOtherTest))
  await untilNothingIsLeft(outcomes, () => tryWhileLoading(trials, files, outcomes))
  return outcomes.alive
}

/** Whether a test stands where its source does: in the same folder of `test` as that of `src`, or under its name. */
const isNear = (source: string, test: string): boolean => {
  const [, project, folder, name] = /^(.*)\/src\/((?:.*\/)?)([^/]*)\.ts$/.exec(source) ?? []
  return test.startsWith(`${project}/test/${folder}`)
    ? folder !== "" || !test.slice(`${project}/test/`.length).includes("/")
    : test.endsWith(`/${name}.test.ts`)
}

/** How many tests of other rooms try a mutant. Those that only pass it by are many. */
const mostOtherTests = 100

/** The tests for each mutant, from as many files as possible, and the quickest of each file. */
const otherTests = (
  tests: ReadonlyArray<ObservedTest>,
  mutants: ReadonlySet<number>
): ReadonlyMap<number, ReadonlySet<ObservedTest>> => {
  const byFile = Map.groupBy(
    tests.toSorted((a, b) => a.effort.ms - b.effort.ms),
    ({ file }) => file
  )
  const entries = [...mutants].map((mutant) => {
    const reaching = [...byFile.values()].map((inFile) => inFile.filter(({ reached }) => reached.has(mutant)))
    const most = Math.max(0, ...reaching.map((inFile) => inFile.length))
    const rounds = Array.from({ length: most }, (_, round) =>
      reaching.flatMap((inFile) => inFile.slice(round, round + 1))
    )
    return [mutant, new Set(rounds.flat().slice(0, mostOtherTests))] as const
  })
  return new Map(entries)
}

/** A worker ends early when it hangs, when it crashes, and when a mutant has broken it for good. */
const untilNothingIsLeft = async (outcomes: Outcomes, startWorker: () => Promise<boolean>) => {
  for (;;) {
    const before = outcomes.count
    const isLeft = await startWorker()
    if (!isLeft) return
    outcomes.endWorker()
    if (outcomes.count === before) throw new Error("The worker ends before it has run a test")
  }
}

type IsWanted = (mutant: number, test: ObservedTest) => boolean

/** Whether there was anything to do. */
const tryInTests = async (
  { observation, vitest }: Trials,
  files: ReadonlyArray<string>,
  outcomes: Outcomes,
  isWanted: IsWanted
): Promise<boolean> => {
  const plans = files
    .map((file) => [file, trialsOf(observation.tests, file, outcomes, isWanted)] as const)
    .filter(([, tests]) => tests.length > 0)
  if (plans.length === 0) return false
  await vitest.run(
    {
      kind: "trial",
      files: Object.fromEntries(plans.map(([file, tests]) => [file, Object.fromEntries(tests)]))
    },
    plans.map(([file]) => file),
    { silenceMs: silenceMs(observation.tests), onEntry: (entry) => outcomes.take(entry) }
  )
  return true
}

const tryWhileLoading = async (
  { fileOf, observation, vitest }: Trials,
  files: ReadonlyArray<string>,
  outcomes: Outcomes
): Promise<boolean> => {
  const wanted = reloadedFiles({ fileOf, observation }, files, outcomes.alive)
  const jobs = files.flatMap((file): ReadonlyArray<ReloadJob> => {
    const inFile = observation.tests.filter((test) => test.file === file)
    const normal = Object.fromEntries(inFile.map(({ effort, test }) => [test, effort]))
    return [...outcomes.alive]
      .filter((mutant) => wanted.get(mutant)?.has(file) === true)
      .filter((mutant) => !outcomes.isTried(file, wholeFile, mutant))
      .map((mutant) => ({ file, mutant, normal }))
  })
  if (jobs.length === 0) return false
  await vitest.run(
    { kind: "reload", jobs },
    jobs.map(({ file }) => file),
    { silenceMs: silenceMs(observation.tests), onEntry: (entry) => outcomes.take(entry) }
  )
  return true
}

/** How many test files are loaded anew for a mutant. */
const mostReloads = 12

/** The test files for each mutant: those of its room, then those that use its source, and the quickest first. */
const reloadedFiles = (
  { fileOf, observation }: Pick<Trials, "fileOf" | "observation">,
  files: ReadonlyArray<string>,
  mutants: ReadonlySet<number>
): ReadonlyMap<number, ReadonlySet<string>> => {
  const users = new Map<string, Set<string>>()
  for (const { file, reached } of observation.tests) {
    for (const source of new Set([...reached].map(fileOf)))
      users.set(source, (users.get(source) ?? new Set()).add(file))
  }
  const entries = [...mutants].map((mutant) => {
    const source = fileOf(mutant)
    const distance = (file: string) => {
      if (isNear(source, file)) return 0
      return users.get(source)?.has(file) === true ? 1 : 2
    }
    const loading = files.filter((file) => observation.loadedBy.get(mutant)?.includes(file) === true)
    return [
      mutant,
      new Set(loading.toSorted((a, b) => distance(a) - distance(b)).slice(0, mostReloads))
    ] as const
  })
  return new Map(entries)
}

/** In the place of a test's number: all tests of the file. */
const wholeFile = -2

const quickestFirst = (tests: ReadonlyArray<ObservedTest>): ReadonlyArray<string> => {
  const byFile = Map.groupBy(tests, ({ file }) => file)
  const mean = (file: string) => {
    const times = byFile.get(file) ?? []
    return times.reduce((sum, { effort }) => sum + effort.ms, 0) / times.length
  }
  return [...byFile.keys()].toSorted((a, b) => mean(a) - mean(b))
}

const trialsOf = (
  tests: ReadonlyArray<ObservedTest>,
  file: string,
  outcomes: Outcomes,
  isWanted: IsWanted
): ReadonlyArray<readonly [number, TestTrials]> =>
  tests
    .filter((test) => test.file === file)
    .map((test) => {
      const isLeft = (mutant: number) =>
        outcomes.alive.has(mutant) && isWanted(mutant, test) && !outcomes.isTried(file, test.test, mutant)
      return [test.test, { normal: test.effort, mutants: [...test.reached].filter(isLeft) }] as const
    })
    .filter(([, { mutants }]) => mutants.length > 0)

/** How long the worker may be silent after it began something: enough for a test on a machine that is busy. */
const silenceMs = (tests: ReadonlyArray<ObservedTest>) => {
  const normal = new Map(tests.map(({ effort, file, test }) => [`${file}#${test}`, effort.ms]))
  return (entry: Entry | undefined): number =>
    entry?.kind === "begin" && entry.test >= 0
      ? 60_000 + 60 * (normal.get(`${entry.file}#${entry.test}`) ?? 0)
      : 120_000
}

/** What the workers have found out until now. */
class Outcomes {
  readonly #alive: Set<number>
  readonly #tried = new Set<string>()
  readonly #onNoticed: Trials["onNoticed"]
  #last: Entry | undefined
  count = 0

  constructor(mutants: ReadonlySet<number>, onNoticed: Trials["onNoticed"]) {
    this.#alive = new Set(mutants)
    this.#onNoticed = onNoticed
  }

  get alive(): ReadonlySet<number> {
    return this.#alive
  }

  isTried(file: string, test: number, mutant: number): boolean {
    return this.#tried.has(`${file}#${test}#${mutant}`)
  }

  take(entry: Entry) {
    this.#last = entry
    if (entry.kind === "job") this.#setTried(entry.file, wholeFile, entry.mutant)
    if (entry.kind !== "end") return
    this.#setTried(entry.file, entry.test, entry.mutant)
    if (entry.outcome === "noticed") this.#notice(entry.mutant, entry.file)
  }

  /** What a worker began and did not end has hung or crashed it: that is noticed, too. */
  endWorker() {
    if (this.#last?.kind === "begin") this.#notice(this.#last.mutant, this.#last.file)
    this.#last = undefined
  }

  #setTried(file: string, test: number, mutant: number) {
    this.count += 1
    this.#tried.add(`${file}#${test}#${mutant}`)
  }

  #notice(mutant: number, file: string) {
    this.count += 1
    if (this.#alive.delete(mutant)) this.#onNoticed(mutant, file)
  }
}
