import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as fc from "fast-check"

/** An invariant that only one target knows, and that an input broke. */
export class Broken extends Data.TaggedError("Broken")<{ readonly problem: string }> {
  override get message() {
    return this.problem
  }
}

/**
 * Tries one input. Gives all that a person, a log or a peer could see of it, which is searched for secrets. What is logged
 * needs not be given.
 */
export type Trial<Input> = (input: Input) => Effect.Effect<ReadonlyArray<unknown>, Broken>

/** Something that reads what strangers wrote. */
export interface Target<Input> {
  readonly name: string
  /** Inputs by a grammar, and mutations of them. */
  readonly inputs: fc.Arbitrary<Input>
  /** An input as it is kept in a file. */
  readonly input: Schema.Codec<Input, unknown>
  /** Must not be seen anywhere. */
  readonly secrets: ReadonlyArray<string>
  /** Opened anew for each round, so that an input depends on no more than those of its round. */
  readonly open: Effect.Effect<Trial<Input>, never, Scope.Scope>
}
