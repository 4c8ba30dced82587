/** What the worker has to do in one run of Vitest. It reads this from the file that `planVariable` names. */
export type WorkerPlan = ObservationPlan | TrialPlan | ReloadPlan

export const planVariable = "MUTATION_PLAN"

interface Plan {
  /** A file to which the worker appends one `Entry` a line: it is whole also when the worker is killed. */
  readonly log: string
}

/** Run tests without a mutant, and write down which mutants it reaches. */
export interface ObservationPlan extends Plan {
  readonly kind: "observation"
  /** A regular expression: `FILE: NAME` of tests that are not run. */
  readonly omitted: string | undefined
}

/** Run tests once for each mutant that they reach. */
export interface TrialPlan extends Plan {
  readonly kind: "trial"
  /** By test file, and by the number of the test in it: what to try. */
  readonly files: Readonly<Record<string, Readonly<Record<string, TestTrials>>>>
}

export interface TestTrials {
  readonly normal: TestEffort
  readonly mutants: ReadonlyArray<number>
}

/** What a test takes without a mutant. */
export interface TestEffort {
  /** Milliseconds. */
  readonly ms: number
  /** How often it evaluates mutants. */
  readonly evaluations: number
}

/** Load test files anew, once for each mutant that is evaluated while modules load. */
export interface ReloadPlan extends Plan {
  readonly kind: "reload"
  /** In the order of the files that Vitest is given. */
  readonly jobs: ReadonlyArray<ReloadJob>
}

export interface ReloadJob {
  readonly file: string
  readonly mutant: number
  /** By the number of a test. Other tests are not run. */
  readonly normal: Readonly<Record<string, TestEffort>>
}

/** What the worker tells. */
export type Entry =
  | { readonly kind: "worker"; readonly pid: number }
  /** Mutants that are evaluated while the modules of a test file load, and not in one of its tests. */
  | { readonly kind: "file"; readonly file: string; readonly loaded: ReadonlyArray<number> }
  | { readonly kind: "unloadable"; readonly file: string; readonly problem: string }
  | {
      readonly kind: "test"
      readonly file: string
      readonly test: number
      readonly name: string
      readonly ms: number
      readonly isGreen: boolean
      /** How often each mutant was evaluated. */
      readonly reached: Readonly<Record<string, number>>
    }
  /** Something begins that may never end; the next entry says that it did. */
  | { readonly kind: "begin"; readonly file: string; readonly mutant: number; readonly test: number }
  /** `unclear`: the test fails without the mutant, too, so it says nothing about the mutant. */
  | {
      readonly kind: "end"
      readonly file: string
      readonly mutant: number
      readonly test: number
      readonly outcome: "noticed" | "unnoticed" | "unclear"
    }
  /** All tests of a job were green. */
  | { readonly kind: "job"; readonly file: string; readonly mutant: number }
