import * as Schema from "effect/Schema"

/** What the suite found out in one scenario (`checks.json`). */
export const Checks = Schema.fromJsonString(
  Schema.Array(
    Schema.Struct({
      id: Schema.String,
      description: Schema.String,
      status: Schema.String,
      errorMessage: Schema.optionalKey(Schema.String)
    })
  )
)
export type Checks = typeof Checks.Type

/** A warning is a SHOULD that was not followed; the suite counts it as a failure, and so do we. */
export const problemsIn = (checks: Checks): ReadonlyArray<string> =>
  checks
    .filter(({ status }) => status === "FAILURE" || status === "WARNING")
    .map(({ description, errorMessage, id }) => `${id}: ${errorMessage ?? description}`)
