import * as Data from "effect/Data"

/** A contender did not do its work. */
export class Broken extends Data.TaggedError("Broken")<{
  readonly contender: string
  readonly reason: string
}> {
  override get message() {
    return `${this.contender} did not do its work: ${this.reason}`
  }
}
