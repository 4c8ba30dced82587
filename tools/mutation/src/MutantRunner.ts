import { appendFileSync, readFileSync } from "node:fs"
import { type RunnerTestCase, type RunnerTestFile, type SerializedConfig, TestRunner, vi } from "vitest"
import { MutantSwitch } from "./MutantSwitch.ts"
import { runTest } from "./TestCall.ts"
import {
  type Entry,
  type ObservationPlan,
  planVariable,
  type ReloadJob,
  type TestEffort,
  type WorkerPlan
} from "./WorkerPlan.ts"

/**
 * How Vitest runs tests in a mutation run. Modules are loaded once and stay; a test is called once for each mutant
 * that it reaches. Only a mutant that is evaluated while modules load needs them anew.
 */
export default class MutantRunner extends TestRunner {
  readonly #plan: WorkerPlan
  readonly #switch = new MutantSwitch()
  /** Of this test file: the number of the next test. */
  #nextTest = 0
  #nextJob = 0
  #job: ReloadJob | undefined
  readonly #noticed = new Set<number>()

  constructor(config: SerializedConfig) {
    super(config)
    this.#plan = JSON.parse(readFileSync(process.env[planVariable] ?? "", "utf8"))
    this.#switch.install()
    this.#write({ kind: "worker", pid: process.pid })
  }

  #write(entry: Entry) {
    appendFileSync(this.#plan.log, `${JSON.stringify(entry)}\n`)
  }

  override async importFile(file: string, source: "collect" | "setup") {
    this.#nextTest = 0
    this.#switch.deactivate()
    // Modules stay as they are.
    if (this.#plan.kind === "trial") return super.importFile(file, source)
    if (this.#plan.kind === "reload") {
      this.#job = this.#plan.jobs[this.#nextJob++]
      const { mutant } = this.#job ?? {}
      // No tests, then: nothing is left to find out.
      if (mutant === undefined || this.#noticed.has(mutant)) return
      vi.resetModules()
      this.#switch.activate(mutant, mostWhileLoading)
      this.#write({ kind: "begin", file, mutant, test: -1 })
      try {
        return await super.importFile(file, source)
      } catch {
        this.#endJobTest(file, mutant, -1, false)
        return
      }
    }
    vi.resetModules()
    this.#switch.takeReached()
    try {
      const module = await super.importFile(file, source)
      this.#write({ kind: "file", file, loaded: [...this.#switch.takeReached().keys()] })
      return module
    } catch (error) {
      this.#write({ kind: "unloadable", file, problem: String(error) })
      throw error
    }
  }

  async runTask(test: RunnerTestCase) {
    const number = this.#nextTest++
    const file = test.file.filepath
    switch (this.#plan.kind) {
      case "observation":
        return isOmitted(test, this.#plan) ? undefined : this.#observe(test, file, number)
      case "trial": {
        const trials = this.#plan.files[file]?.[number]
        for (const mutant of trials?.mutants ?? []) {
          if (trials !== undefined && !this.#noticed.has(mutant))
            await this.#try(test, file, number, mutant, trials.normal)
        }
        return
      }
      case "reload": {
        if (this.#job === undefined || this.#noticed.has(this.#job.mutant)) return
        const { mutant } = this.#job
        const normal = this.#job.normal[number]
        if (normal === undefined) return
        this.#write({ kind: "begin", file, mutant, test: number })
        this.#switch.activate(mutant, mostEvaluations(normal))
        const isGreen = await runTest(this, test, normal.ms)
        this.#endJobTest(file, mutant, number, isGreen)
      }
    }
  }

  override onAfterRunFiles(files: Array<RunnerTestFile>) {
    super.onAfterRunFiles(files)
    if (this.#job === undefined || this.#noticed.has(this.#job.mutant)) return
    this.#write({ kind: "job", file: this.#job.file, mutant: this.#job.mutant })
  }

  async #observe(test: RunnerTestCase, file: string, number: number) {
    this.#switch.takeReached()
    const startedAt = performance.now()
    const isGreen = await runTest(this, test, 60_000)
    const ms = performance.now() - startedAt
    const reached = Object.fromEntries(this.#switch.takeReached())
    this.#write({ kind: "test", file, test: number, name: test.name, ms, isGreen, reached })
  }

  async #try(test: RunnerTestCase, file: string, number: number, mutant: number, normal: TestEffort) {
    this.#write({ kind: "begin", file, mutant, test: number })
    this.#switch.activate(mutant, mostEvaluations(normal))
    const isGreen = await runTest(this, test, normal.ms)
    this.#switch.deactivate()
    if (isGreen) return this.#write({ kind: "end", file, mutant, test: number, outcome: "unnoticed" })
    // What the mutant has broken for good, or a test that fails by chance, must not count.
    const isStillGood = await runTest(this, test, normal.ms)
    this.#noticed.add(mutant)
    this.#write({ kind: "end", file, mutant, test: number, outcome: isStillGood ? "noticed" : "unclear" })
    if (!isStillGood) process.kill(process.pid, "SIGKILL")
  }

  #endJobTest(file: string, mutant: number, test: number, isGreen: boolean) {
    if (!isGreen) this.#noticed.add(mutant)
    this.#write({ kind: "end", file, mutant, test, outcome: isGreen ? "unnoticed" : "noticed" })
  }
}

/** A test that evaluates mutants more often than this is in an endless loop. */
const mostEvaluations = ({ evaluations }: TestEffort): number => 100_000 + 10 * evaluations

const mostWhileLoading = 1_000_000

const isOmitted = ({ file, name }: RunnerTestCase, { omitted }: ObservationPlan): boolean =>
  omitted !== undefined && new RegExp(omitted).test(`${file.filepath}: ${name}`)
