import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Writable } from "node:stream"

/** The client's input or output failed: nothing can be relayed any more. */
export class RelayError extends Schema.TaggedError<RelayError>()("RelayError", {
  stream: Schema.Literals(["input", "output"]),
  problem: Schema.String
}) {
  override get message(): string {
    return `The ${this.stream} of the relay failed: ${this.problem}`
  }
}

/** Why a stream failed. */
export const makeRelayError = (stream: RelayError["stream"], cause: unknown): RelayError =>
  new RelayError({ stream, problem: cause instanceof Error ? cause.message : "unknown" })

/** Writes one line after the other. */
export interface Output {
  /** Writes a line, and waits until it is taken. */
  readonly write: (text: string) => Effect.Effect<void>
  /** Writes a line, unless those before it are not taken yet: then it gives false. */
  readonly writeNow: (text: string) => boolean
}

/** Makes the output. The first failure ends the relay. */
export const makeOutput = Effect.fnUntraced(function* (
  output: Writable,
  broken: Deferred.Deferred<never, RelayError>
): Effect.fn.Return<Output, never, Scope.Scope> {
  const onError = (cause: unknown) =>
    Deferred.doneUnsafe(broken, Effect.fail(makeRelayError("output", cause)))
  yield* Effect.acquireRelease(
    Effect.sync(() => output.on("error", onError)),
    () => Effect.sync(() => output.off("error", onError))
  )
  return {
    write: (text) =>
      Effect.callback<void>((resume) => {
        output.write(`${text}\n`, () => resume(Effect.void))
      }),
    writeNow: (text) => {
      if (output.writableNeedDrain) return false
      output.write(`${text}\n`)
      return true
    }
  }
})
