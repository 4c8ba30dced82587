import { createHash } from "node:crypto"
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"

/** `killed`: a test noticed the change. `survived`: none did. */
export type Outcome = "killed" | "survived"

/** Outcomes of earlier runs, by what they depend on: the source, the tests and the change. */
export class Results {
  readonly #path: string
  readonly #outcomes: Map<string, Outcome>

  constructor(path: string) {
    this.#path = path
    this.#outcomes = new Map(readOutcomes(path))
  }

  get(key: string): Outcome | undefined {
    return this.#outcomes.get(key)
  }

  /** Written at once, so that a run can be stopped at any time. */
  set(key: string, outcome: Outcome) {
    this.#outcomes.set(key, outcome)
    mkdirSync(dirname(this.#path), { recursive: true })
    writeFileSync(this.#path, JSON.stringify(Object.fromEntries(this.#outcomes)))
  }
}

const readOutcomes = (path: string): ReadonlyArray<[string, Outcome]> => {
  try {
    const stored: unknown = JSON.parse(readFileSync(path, "utf8"))
    return Object.entries(stored ?? {}).filter((entry): entry is [string, Outcome] =>
      ["killed", "survived"].includes(entry[1])
    )
  } catch {
    return []
  }
}

/** Of every source and test of a project: what changed nowhere has the same outcome. */
export const hashOf = (globs: ReadonlyArray<string>): string => {
  const hash = createHash("sha256")
  for (const path of globSync([...globs]).toSorted()) hash.update(path).update(readFileSync(path))
  return hash.digest("hex")
}

export const keyOf = (...parts: ReadonlyArray<string | number>): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32)
