import type { Comparison } from "./ExpectedFailures.ts"
import type { ScenarioResult } from "./ScenarioResult.ts"

/** The results of all runs as a table, one line a way and revision, with the failures above it. */
export const report = (
  results: ReadonlyArray<ScenarioResult>,
  { unexpectedFailures, unexpectedPasses }: Comparison
) => {
  const failures = results
    .filter(({ passed }) => !passed)
    .map(
      ({ revision, scenario, summary, way }) =>
        `- ${scenario} at ${revision} (${way})\n    ${summary.replaceAll("\n", "\n    ")}`
    )
  const scenarios = Map.groupBy(
    results.filter(({ side }) => side === "client"),
    ({ scenario }) => scenario
  )
  const passedScenarios = [...scenarios.values()].filter((runs) => runs.every(({ passed }) => passed))
  return [
    ...(failures.length === 0 ? [] : ["Failed:", ...failures, ""]),
    ...table(results),
    "",
    ...unexpectedFailures.map((scenario) => `Unexpected failure: ${scenario}`),
    ...unexpectedPasses.map(
      (scenario) => `Unexpected pass, to be removed from expected-failures.yaml: ${scenario}`
    ),
    `${passedScenarios.length} of ${scenarios.size} auth scenarios pass; ${
      unexpectedFailures.length + unexpectedPasses.length === 0 ? "as expected" : "NOT as expected"
    }`
  ].join("\n")
}

const wayWidth = 26

const table = (results: ReadonlyArray<ScenarioResult>): ReadonlyArray<string> => {
  const rows = [...Map.groupBy(results, ({ revision, way }) => `${way.padEnd(wayWidth)} ${revision}`)].map(
    ([key, runs]) => {
      const passed = runs.filter((run) => run.passed).length
      return `${key}  ${String(passed).padStart(6)}  ${String(runs.length - passed).padStart(6)}`
    }
  )
  return [`${"way".padEnd(wayWidth)} revision    passed  failed`, ...rows.sort()]
}
