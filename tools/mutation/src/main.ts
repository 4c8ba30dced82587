import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, matchesGlob, resolve } from "node:path"
import { parseArgs } from "node:util"
import { accepted } from "./Accepted.ts"
import { applyMutant, describeMutant, type Mutant, mutantsOf } from "./Mutants.ts"
import { hashOf, keyOf, type Outcome, Results } from "./Results.ts"
import { type Target, targets } from "./Targets.ts"
import { areTestsGreen } from "./TestRun.ts"

/**
 * `npm run mutation -- [--only TARGET] [--files GLOB]`: exits 0 if each target has the score that is asked for.
 * Outcomes are kept in `.mutation/`; a mutant is tried again only after its source or a test of its project changed.
 */
process.chdir(resolve(import.meta.dirname, "../../.."))

/** Percent of the mutants that a test notices; those that are accepted do not count. */
const leastScore = 85

interface Tried {
  readonly file: string
  readonly line: number
  readonly mutant: string
  readonly outcome: Outcome
}

const say = (line: string) => process.stdout.write(`${line}\n`)

const readOptions = () => {
  const { values } = parseArgs({ options: { only: { type: "string" }, files: { type: "string" } } })
  if (values.only !== undefined && targets[values.only] === undefined) {
    throw new Error(`--only takes one of: ${Object.keys(targets).join(", ")}`)
  }
  return values
}

const runTarget = async (target: Target, name: string, glob: string | undefined): Promise<boolean> => {
  const files = globSync([...target.sources])
    .filter((file) => glob === undefined || matchesGlob(file, glob))
    .toSorted()
  const [first] = files
  if (first === undefined) throw new Error(`${name}: no source file fits`)
  const startedAt = Date.now()
  if (!(await areTestsGreen(target.tests, 1_200_000)))
    throw new Error(`${name}: its tests fail without a mutant`)
  const timeoutMs = 60_000 + 3 * (Date.now() - startedAt)
  if (await isUnnoticed(target.tests, first, "throw new Error()", timeoutMs)) {
    throw new Error(`${name}: its tests do not see a mutated source`)
  }
  const results = new Results(`.mutation/${name}.json`)
  const tests = hashOf(target.tests.map((folder) => `${folder}**/*.ts`))
  const tried: Array<Tried> = []
  for (const file of files) {
    const source = readFileSync(file, "utf8")
    for (const mutant of mutantsOf(source)) {
      const key = keyOf(tests, file, source, mutant.start, mutant.end, mutant.replacement)
      const known = results.get(key)
      const outcome = known ?? (await tryMutant(target, file, source, mutant, timeoutMs))
      if (known === undefined) results.set(key, outcome)
      const line = source.slice(0, mutant.start).split("\n").length
      tried.push({ file, line, mutant: describeMutant(source, mutant), outcome })
      if (outcome === "survived") say(`${file}:${line}: survived: ${describeMutant(source, mutant)}`)
    }
  }
  return report(name, tried)
}

const tryMutant = async (
  target: Target,
  file: string,
  source: string,
  mutant: Mutant,
  timeoutMs: number
): Promise<Outcome> => {
  const near = target.nearTests(file)
  const text = applyMutant(source, mutant)
  const isSame = near.join() === target.tests.join()
  const survives =
    (await isUnnoticed(near, file, text, timeoutMs)) &&
    (isSame || (await isUnnoticed(target.tests, file, text, timeoutMs)))
  return survives ? "survived" : "killed"
}

/** Whether these tests are green with another text in place of the file's. */
const isUnnoticed = async (tests: ReadonlyArray<string>, file: string, text: string, timeoutMs: number) => {
  const directory = mkdtempSync(join(tmpdir(), "mutant-"))
  try {
    const replacement = { file: resolve(file), text: join(directory, "source.ts") }
    writeFileSync(replacement.text, text)
    return await areTestsGreen(tests, timeoutMs, replacement)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const report = (name: string, tried: ReadonlyArray<Tried>): boolean => {
  const isAccepted = ({ file, mutant }: Tried) =>
    accepted.some((entry) => entry.file === file && entry.mutant === mutant)
  const counted = tried.filter((each) => each.outcome === "killed" || !isAccepted(each))
  const killed = counted.filter(({ outcome }) => outcome === "killed").length
  const score = counted.length === 0 ? 100 : (100 * killed) / counted.length
  say(
    `${name}: ${tried.length} mutants, ${killed} killed, ${counted.length - killed} survived, ` +
      `${tried.length - counted.length} accepted; score ${score.toFixed(1)} %`
  )
  return score >= leastScore
}

const run = async () => {
  const { files, only } = readOptions()
  let isEnough = true
  for (const [name, target] of Object.entries(targets)) {
    if (only === undefined || only === name) isEnough = (await runTarget(target, name, files)) && isEnough
  }
  process.exitCode = isEnough ? 0 : 1
}

await run()
