import { globSync, readFileSync } from "node:fs"
import { matchesGlob, relative, resolve } from "node:path"
import { parseArgs } from "node:util"
import { describeMutant, mutantsOf } from "./Mutants.ts"
import { observe } from "./Observation.ts"
import { report } from "./Report.ts"
import { hashOf, Results, TestHashes } from "./Results.ts"
import { type NumberedMutant, switchedSource } from "./SwitchedSource.ts"
import { type Target, targets } from "./Targets.ts"
import { tryMutants } from "./Trials.ts"
import { VitestRuns } from "./VitestRuns.ts"

/**
 * `npm run mutation -- [--only TARGET] [--files GLOB]`: exits 0 if each target has the score that is asked for.
 * Outcomes are kept in `.mutation/`; a mutant is tried again only after its source or its tests changed.
 */
process.chdir(resolve(import.meta.dirname, "../../.."))

const say = (line: string) => process.stdout.write(`${line}\n`)

const readOptions = () => {
  const { values } = parseArgs({ options: { only: { type: "string" }, files: { type: "string" } } })
  if (values.only !== undefined && targets[values.only] === undefined) {
    throw new Error(`--only takes one of: ${Object.keys(targets).join(", ")}`)
  }
  return values
}

interface SourceMutant extends NumberedMutant {
  readonly file: string
  /** What stays the same until the source file changes. */
  readonly key: string
  readonly line: number
  readonly name: string
}

interface SourceFile {
  readonly file: string
  readonly text: string
  readonly mutants: ReadonlyArray<SourceMutant>
}

const readSources = (target: Target, glob: string | undefined): ReadonlyArray<SourceFile> => {
  let id = 0
  return globSync([...target.sources], { exclude: target.except ?? [] })
    .filter((file) => glob === undefined || matchesGlob(file, glob))
    .toSorted()
    .map((file) => {
      const text = readFileSync(file, "utf8")
      const mutants = mutantsOf(text).map((mutant): SourceMutant => {
        const { end, kind, replacement, start } = mutant
        const key = hashOf(file, text, `${start} ${end} ${replacement}`)
        const line = text.slice(0, start).split("\n").length
        return {
          start,
          end,
          replacement,
          kind,
          id: id++,
          file,
          key,
          line,
          name: describeMutant(text, mutant)
        }
      })
      return { file, text, mutants }
    })
}

const runTarget = async (name: string, target: Target, glob: string | undefined): Promise<boolean> => {
  const sources = readSources(target, glob)
  const mutants = sources.flatMap((source) => source.mutants)
  if (mutants.length === 0) throw new Error(`${name}: there is nothing to mutate`)
  const results = new Results(`.mutation/${name}.json`)
  if (glob === undefined) results.keepOnly(new Set(mutants.map(({ key }) => key)))
  const hashes = new TestHashes(target.tests)
  const unknown = mutants.filter(({ key }) => {
    const known = results.get(key)
    return known === undefined || known.hash !== hashes.of(known.by)
  })
  if (unknown.length > 0) await tryAll({ name, target, sources, unknown, results, hashes })
  return report(
    name,
    mutants.map(({ file, key, line, name: mutant }) => {
      return { file, line, name: mutant, isNoticed: results.get(key)?.by !== undefined }
    }),
    say
  )
}

interface Task {
  readonly name: string
  readonly target: Target
  readonly sources: ReadonlyArray<SourceFile>
  readonly unknown: ReadonlyArray<SourceMutant>
  readonly results: Results
  readonly hashes: TestHashes
}

const tryAll = async ({ hashes, name, results, sources, target, unknown }: Task) => {
  const texts = sources.map(
    ({ file, mutants, text }) => [resolve(file), switchedSource(text, mutants)] as const
  )
  await using vitest = await VitestRuns.open(new Map(texts), target.tests)
  const observation = await observe(vitest, target.omitted)
  for (const test of observation.red) say(`left out, because it fails without a mutant: ${test}`)
  if (observation.tests.every(({ reached }) => reached.size === 0))
    throw new Error(`${name}: no test reaches a mutant`)
  const keys = new Map(unknown.map(({ id, key }) => [id, key]))
  const paths = new Map(unknown.map(({ file, id }) => [id, resolve(file)]))
  const fileOf = (mutant: number) => paths.get(mutant) ?? ""
  const onNoticed = (mutant: number, path: string) => {
    const by = relative(".", path)
    results.set(keys.get(mutant) ?? "", { by, hash: hashes.of(by) })
    results.write()
  }
  for (const survivor of await tryMutants({ vitest, observation, fileOf, onNoticed }, new Set(keys.keys()))) {
    results.set(keys.get(survivor) ?? "", { hash: hashes.of(undefined) })
  }
  results.write()
}

const run = async () => {
  const { files, only } = readOptions()
  let isEnough = true
  for (const [name, target] of Object.entries(targets)) {
    if (only === undefined || only === name) isEnough = (await runTarget(name, target, files)) && isEnough
  }
  process.exitCode = isEnough ? 0 : 1
}

await run()
