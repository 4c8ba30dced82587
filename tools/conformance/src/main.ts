import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { authScenarios } from "./suite/Catalogue.ts"
import { runClientScenario } from "./suite/ClientScenarios.ts"
import { compare, readExpectedFailures } from "./suite/ExpectedFailures.ts"
import { report } from "./suite/Report.ts"
import { runServerScenarios, startServersBehindGateway } from "./suite/ServerScenarios.ts"
import { runSuite } from "./suite/SuiteProcess.ts"

/**
 * Runs the official suite against the gateway: every authorization scenario with the gateway as OAuth client, and what
 * is required of servers through the gateway. Arguments name authorization scenarios, to run these alone.
 */
const program = Effect.gen(function* () {
  const only = process.argv.slice(2)
  const expected = yield* readExpectedFailures(new URL("../expected-failures.yaml", import.meta.url))
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "conformance-results-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const scenarios = authScenarios((yield* runSuite(["list"])).output)
  const runs = [
    ...(only.length === 0 ? yield* startServersBehindGateway : []).map((way) =>
      runServerScenarios(way, directory)
    ),
    ...scenarios
      .filter(({ name }) => only.length === 0 || only.includes(name))
      .map((scenario) => Effect.map(runClientScenario(scenario, directory), (result) => [result]))
  ]
  // One more than there are cores: most of the time one process of a scenario waits for another.
  const results = yield* Effect.all(runs, { concurrency: availableParallelism() + 1 })
  const comparison = compare(results.flat(), expected)
  yield* Console.log(report(results.flat(), comparison))
  const isAsExpected = comparison.unexpectedFailures.length + comparison.unexpectedPasses.length === 0
  process.exitCode = results.length > 0 && isAsExpected ? 0 : 1
})

Effect.runPromise(Effect.scoped(program)).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exitCode = 1
})
