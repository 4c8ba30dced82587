import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** A step did not have the expected result. */
export class StoryError extends Data.TaggedError("StoryError")<{ readonly message: string }> {}

/** Fails with the expectation unless it came true. */
export const check = (condition: boolean, expectation: string) =>
  condition ? Effect.void : Effect.fail(new StoryError({ message: expectation }))

/** Tells of a step that succeeded. */
export const say = (headline: string, text: string) => Console.log(`  ${headline.padEnd(20)}${text}`)
