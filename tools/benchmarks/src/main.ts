import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { measurements } from "./Catalogue.ts"
import type { Measurement, Run } from "./measurement/Measurement.ts"
import type { MeasurementResult } from "./measurement/Result.ts"
import { carryOut } from "./measurement/Rounds.ts"
import { hottestFunctions } from "./profile/CpuProfile.ts"
import { buildMappedBundle } from "./profile/MappedBundle.ts"
import { chart } from "./report/Chart.ts"
import { updatePage } from "./report/Page.ts"
import { jsonReport } from "./report/JsonReport.ts"
import { aligned, cellsOf, verdictLines } from "./report/Table.ts"

const options = {
  check: { type: "boolean", default: false },
  json: { type: "string" },
  list: { type: "boolean", default: false },
  profile: { type: "boolean", default: false },
  rounds: { type: "string", default: "3" },
  "write-docs": { type: "boolean", default: false }
} as const

interface Measured {
  readonly measurement: Measurement
  readonly result: MeasurementResult
}

/** What failed, without where in our own code. */
const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

/** Carries one out and prints it; gives nothing if it could not be carried out. */
const measure = (measurement: Measurement, run: Run) =>
  Effect.gen(function* () {
    yield* Console.log(`\n${measurement.name}: ${measurement.measures}`)
    const result = yield* carryOut(measurement, run)
    yield* Console.log(aligned(cellsOf(measurement, result)))
    for (const skipped of result.skipped) yield* Console.log(`  skipped  ${skipped}`)
    for (const { text } of verdictLines(measurement, result)) yield* Console.log(`  ${text}`)
    return [{ measurement, result }] satisfies ReadonlyArray<Measured>
  }).pipe(
    Effect.catchCause((cause) =>
      Effect.as(
        Console.log(`  BROKEN   ${measurement.name} could not be carried out: ${reasonOf(cause)}`),
        [] satisfies ReadonlyArray<Measured>
      )
    )
  )

/** The command as it is published, before a bundle, which the script `bench` builds before. */
const publishedBundle = fileURLToPath(
  new URL("bin/secure-mcp-gateway.cjs", import.meta.resolve("@secure-mcp/gateway/package.json"))
)

/** A folder for the profiles of the processes of this project. Those of the last run go. */
const emptyProfileDirectory = async (): Promise<string> => {
  const directory = fileURLToPath(new URL("../dist/profiles", import.meta.url))
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  return directory
}

/** What was wrong with the command line. */
class WrongUse extends Data.TaggedError("WrongUse")<{ readonly message: string }> {}

const readCommandLine = Effect.gen(function* () {
  const { positionals, values } = yield* Effect.try({
    try: () => parseArgs({ allowPositionals: true, options }),
    catch: (error) => new WrongUse({ message: error instanceof Error ? error.message : String(error) })
  })
  const unknown = positionals.filter((name) => !measurements.some((one) => one.name === name))
  if (unknown.length > 0)
    return yield* new WrongUse({
      message: `There is no measurement ${unknown.join(", ")}. \`--list\` shows all.`
    })
  if (values["write-docs"] && positionals.length > 0)
    return yield* new WrongUse({
      message: "`--write-docs` writes the figures of all measurements: leave the names out."
    })
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100)
    return yield* new WrongUse({ message: "`--rounds` must be a whole number from 1 to 100." })
  const wanted = measurements.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  return { ...values, rounds, wanted }
})

const program = Effect.gen(function* () {
  const { wanted, ...values } = yield* readCommandLine
  if (values.list)
    return yield* Effect.forEach(measurements, ({ measures, name }) => Console.log(`${name}: ${measures}`))
  const run: Run = {
    rounds: values.rounds,
    share: 1,
    bundle: values.profile ? yield* Effect.promise(buildMappedBundle) : publishedBundle,
    profileDirectory: values.profile ? yield* Effect.promise(emptyProfileDirectory) : undefined
  }
  const results = (yield* Effect.forEach(wanted, (one) => measure(one, run))).flat()
  if (run.profileDirectory !== undefined) yield* Console.log(hottestFunctions(run.profileDirectory))
  const { json } = values
  if (json !== undefined) yield* Effect.promise(() => writeFile(json, jsonReport(results)))
  if (values["write-docs"]) yield* Effect.promise(() => writeDocs(results))
  if (values.check) yield* check(wanted, results)
  return undefined
}).pipe(
  Effect.catchTag("WrongUse", ({ message }) =>
    Effect.andThen(
      Console.error(message),
      Effect.sync(() => (process.exitCode = 1))
    )
  )
)

/** Writes docs/performance.md and its pictures. */
const writeDocs = async (results: ReadonlyArray<Measured>) => {
  const page = new URL("../../../docs/performance.md", import.meta.url)
  const outcomes = measurements.map((measurement) => ({
    measurement,
    result: results.find((one) => one.measurement === measurement)?.result
  }))
  await writeFile(page, updatePage(await readFile(page, "utf8"), outcomes))
  const pictures = new URL("performance/", page)
  await mkdir(pictures, { recursive: true })
  for (const { measurement, result } of results)
    await writeFile(new URL(`${measurement.name}.svg`, pictures), chart(measurement, result))
}

/** Says what failed, and makes the command fail. */
const check = Effect.fnUntraced(function* (
  wanted: ReadonlyArray<Measurement>,
  results: ReadonlyArray<Measured>
) {
  const missed = results.flatMap(({ measurement, result }) =>
    verdictLines(measurement, result).filter(({ isReached }) => !isReached)
  )
  const broken = wanted.filter((one) => !results.some(({ measurement }) => measurement === one))
  yield* Console.log(`\n${missed.length} targets missed, ${broken.length} measurements broken`)
  for (const { text } of missed) yield* Console.log(text)
  for (const { name } of broken) yield* Console.log(`BROKEN   ${name}`)
  process.exitCode = missed.length + broken.length === 0 ? 0 : 1
})

NodeRuntime.runMain(program, {
  teardown: (exit, onExit) => onExit(exit._tag === "Success" ? Number(process.exitCode ?? 0) : 1)
})
