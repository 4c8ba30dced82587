import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Writable } from "node:stream"
import { createVitest, type TestSpecification, type Vitest } from "vitest/node"
import { type Entry, planVariable, type WorkerPlan } from "./WorkerPlan.ts"

/** A plan, before it is known where its log is. */
type Unwritten<P> = P extends WorkerPlan ? Omit<P, "log"> : never

export interface Listener {
  readonly onEntry: (entry: Entry) => void
  readonly silenceMs: (last: Entry | undefined) => number
}

/** One Vitest for all runs of a target: what it has transformed once is there for every worker. */
export class VitestRuns {
  readonly #vitest: Vitest
  readonly #directory: string
  readonly #specifications: ReadonlyMap<string, TestSpecification>

  private constructor(vitest: Vitest, specifications: ReadonlyArray<TestSpecification>) {
    this.#vitest = vitest
    this.#directory = mkdtempSync(join(tmpdir(), "mutation-"))
    this.#specifications = new Map(specifications.map((each) => [each.moduleId, each]))
    process.env[planVariable] = join(this.#directory, "plan.json")
  }

  /** `sources` are given to the tests in place of the files, by absolute path. */
  static async open(sources: ReadonlyMap<string, string>, tests: ReadonlyArray<string>) {
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
    const vitest = await createVitest(
      "test",
      {
        root: ".",
        config: "vitest.config.ts",
        runner: join(import.meta.dirname, "MutantRunner.ts"),
        watch: false,
        isolate: false,
        maxWorkers: 1,
        fsModuleCache: false,
        reporters: [{}],
        silent: true,
        disableConsoleIntercept: true,
        passWithNoTests: true,
        // Files run in the order in which they are given.
        sequence: { sequencer: InOrder }
      },
      {
        plugins: [
          {
            name: "switched-sources",
            enforce: "pre",
            load: (id) => sources.get(id.split("?")[0] ?? "")
          }
        ]
      },
      { stdout: nowhere, stderr: nowhere }
    )
    return new VitestRuns(vitest, await vitest.globTestSpecifications([...tests]))
  }

  get testFiles(): ReadonlyArray<string> {
    return [...this.#specifications.keys()]
  }

  /**
   * Runs test files, in their order. `onEntry` is called soon after the worker has told something. The worker is
   * killed if it tells nothing for `silenceMs` after its last entry.
   */
  async run(plan: Unwritten<WorkerPlan>, files: ReadonlyArray<string>, listener: Listener): Promise<void> {
    const path = join(this.#directory, "log")
    writeFileSync(path, "")
    writeFileSync(join(this.#directory, "plan.json"), JSON.stringify({ ...plan, log: path }))
    const log = new WorkerLog(path, listener)
    const timer = setInterval(() => log.readAndWatch(), 1000)
    try {
      await this.#vitest.runTestSpecifications(files.flatMap((file) => this.#specifications.get(file) ?? []))
    } finally {
      clearInterval(timer)
    }
    log.read()
  }

  async [Symbol.asyncDispose]() {
    await this.#vitest.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

class InOrder {
  shard<A>(files: A) {
    return files
  }
  sort<A>(files: A) {
    return files
  }
}

/** What a worker tells, line by line. */
class WorkerLog {
  readonly #path: string
  readonly #listener: Listener
  #bytesRead = 0
  #toldAt = performance.now()
  #last: Entry | undefined
  #worker: number | undefined

  constructor(path: string, listener: Listener) {
    this.#path = path
    this.#listener = listener
  }

  read() {
    const bytes = readFileSync(this.#path)
    const end = bytes.lastIndexOf("\n") + 1
    const lines = bytes.toString("utf8", this.#bytesRead, end).split("\n")
    this.#bytesRead = end
    for (const line of lines.filter((each) => each !== "")) {
      const entry: Entry = JSON.parse(line)
      if (entry.kind === "worker") this.#worker = entry.pid
      this.#last = entry
      this.#toldAt = performance.now()
      this.#listener.onEntry(entry)
    }
  }

  readAndWatch() {
    this.read()
    if (performance.now() - this.#toldAt > this.#listener.silenceMs(this.#last)) this.#killWorker()
  }

  #killWorker() {
    if (this.#worker !== undefined) kill(this.#worker)
    this.#worker = undefined
  }
}

const kill = (pid: number) => {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // It has ended by itself.
  }
}
