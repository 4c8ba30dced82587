import { createHash } from "node:crypto"
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"

/** `by`: the test file that noticed the change. A change that survived has none. */
export interface Outcome {
  readonly by?: string
  /** Of everything that the outcome depends on. */
  readonly hash: string
}

/** Outcomes of earlier runs. */
export class Results {
  readonly #path: string
  readonly #outcomes: Map<string, Outcome>

  constructor(path: string) {
    this.#path = path
    this.#outcomes = new Map(readOutcomes(path))
  }

  get(mutant: string): Outcome | undefined {
    return this.#outcomes.get(mutant)
  }

  set(mutant: string, outcome: Outcome) {
    this.#outcomes.set(mutant, outcome)
  }

  /** Forgets every mutant that is not there any more. */
  keepOnly(mutants: ReadonlySet<string>) {
    for (const mutant of this.#outcomes.keys()) if (!mutants.has(mutant)) this.#outcomes.delete(mutant)
  }

  write() {
    mkdirSync(dirname(this.#path), { recursive: true })
    writeFileSync(this.#path, JSON.stringify(Object.fromEntries(this.#outcomes)))
  }
}

const readOutcomes = (path: string): ReadonlyArray<[string, Outcome]> => {
  try {
    return Object.entries(JSON.parse(readFileSync(path, "utf8")))
  } catch {
    return []
  }
}

/** The tests of a target, by their content. */
export class TestHashes {
  readonly #tests: ReadonlyMap<string, string>
  /** Of everything that several tests use. */
  readonly #shared: string
  readonly #all: string

  constructor(folders: ReadonlyArray<string>) {
    const files = globSync(folders.map((folder) => `${folder}/**/*.ts`)).toSorted()
    const [tests, shared] = [files.filter(isTest), files.filter((file) => !isTest(file))]
    this.#tests = new Map(tests.map((file) => [file, hashOf(readFileSync(file, "utf8"))]))
    this.#shared = hashOf(...shared.map((file) => readFileSync(file, "utf8")))
    this.#all = hashOf(this.#shared, ...this.#tests.values())
  }

  /** A mutant that a test has noticed needs only that test; a new test may notice one that survived. */
  of(by: string | undefined): string {
    return by === undefined ? this.#all : hashOf(this.#shared, this.#tests.get(by) ?? "")
  }
}

const isTest = (file: string) => file.endsWith(".test.ts")

export const hashOf = (...parts: ReadonlyArray<string>): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32)
