import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { globSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Verdict } from "../client/Verdict.ts"
import type { Scenario } from "./Catalogue.ts"
import { Checks, problemsIn } from "./Checks.ts"
import type { ScenarioResult } from "./ScenarioResult.ts"
import { runSuite, scenarioTimeout } from "./SuiteProcess.ts"

const client = fileURLToPath(new URL("../client/main.ts", import.meta.url))

/** Runs a scenario against the gateway as OAuth client. */
export const runClientScenario = Effect.fnUntraced(function* (
  { isExtension, name, revision }: Scenario,
  directory: string
) {
  const results = join(directory, `${name}-${revision}`)
  const { exitCode, output } = yield* runSuite([
    "client",
    "--command",
    `'${process.execPath}' '${client}'`,
    "--scenario",
    name,
    "--spec-version",
    revision,
    "--timeout",
    String(scenarioTimeout),
    "--output-dir",
    results,
    ...(isExtension ? ["--force"] : [])
  ])
  const checks = yield* readResult(results, "checks.json", Checks)
  const verdict = yield* readResult(results, "stdout.txt", Schema.fromJsonString(Verdict))
  const problems = [
    ...(checks === undefined ? [`The suite said: ${output.slice(-2000)}`] : problemsIn(checks)),
    ...(verdict === undefined
      ? [`The client said: ${yield* readText(results, "stderr.txt")}`]
      : verdict.asExpected
        ? []
        : [verdict.summary])
  ]
  // The suite also counts a client that ends late, or not well.
  if (exitCode !== 0 && problems.length === 0) problems.push(`The suite said: ${output.slice(-2000)}`)
  return {
    side: "client",
    way: "OAuth client",
    scenario: name,
    revision,
    passed: problems.length === 0,
    summary: problems.length === 0 ? (verdict?.summary ?? "") : problems.join("\n")
  } satisfies ScenarioResult
})

const readText = (results: string, name: string) =>
  Effect.promise(async () => {
    const [file] = globSync(join(results, "**", name))
    return file === undefined ? "" : readFile(file, "utf8")
  })

const readResult = <S extends Schema.Decoder<unknown>>(results: string, name: string, schema: S) =>
  readText(results, name).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(schema)),
    Effect.orElseSucceed(() => undefined)
  )
