import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { readFile } from "node:fs/promises"
import { parse } from "yaml"

/** The file in the suite's own form: names of scenarios that are known to fail, of its client and of its server side. */
const ExpectedFailures = Schema.Struct({
  client: Schema.optionalKey(Schema.Array(Schema.String)),
  server: Schema.optionalKey(Schema.Array(Schema.String))
})
export type ExpectedFailures = typeof ExpectedFailures.Type

export const readExpectedFailures = (file: URL) =>
  Effect.promise(() => readFile(file, "utf8")).pipe(
    Effect.flatMap((text) => Schema.decodeUnknownEffect(ExpectedFailures)(parse(text)))
  )

/** One run of one scenario. */
export interface Result {
  readonly side: "client" | "server"
  readonly scenario: string
  readonly passed: boolean
}

export interface Comparison {
  readonly unexpectedFailures: ReadonlyArray<string>
  /** Expected to fail, and passed wherever they ran: to be removed from the file. */
  readonly unexpectedPasses: ReadonlyArray<string>
}

/** Compares what happened with what was expected. A scenario fails when it fails in any of its runs. */
export const compare = (results: ReadonlyArray<Result>, expected: ExpectedFailures): Comparison => {
  const isExpected = ({ scenario, side }: Result) => expected[side]?.includes(scenario) === true
  const failed = new Set(results.filter(({ passed }) => !passed).map(({ scenario }) => scenario))
  const failedUnexpectedly = results.filter((result) => !result.passed && !isExpected(result))
  const passedUnexpectedly = results.filter((result) => isExpected(result) && !failed.has(result.scenario))
  return {
    unexpectedFailures: [...new Set(failedUnexpectedly.map(({ scenario }) => scenario))],
    unexpectedPasses: [...new Set(passedUnexpectedly.map(({ scenario }) => scenario))]
  }
}
