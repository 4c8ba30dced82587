import * as Data from "effect/Data"

/** A contender or a server that it needs did not start. */
export class CouldNotStart extends Data.TaggedError("CouldNotStart")<{
  readonly program: string
  readonly reason: string
  /** True if the program is not installed: the measurement does without it. */
  readonly isMissing?: boolean
}> {
  override get message() {
    return `${this.program} did not start: ${this.reason}`
  }
}
