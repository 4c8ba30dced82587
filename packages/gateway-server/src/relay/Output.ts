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

/** Makes the function that writes one line after the other and waits until each is taken. The first failure ends the relay. */
export const makeWriter = Effect.fnUntraced(function* (
  output: Writable,
  broken: Deferred.Deferred<never, RelayError>
): Effect.fn.Return<(text: string) => Effect.Effect<void>, never, Scope.Scope> {
  const onError = (cause: unknown) =>
    Deferred.doneUnsafe(broken, Effect.fail(makeRelayError("output", cause)))
  yield* Effect.acquireRelease(
    Effect.sync(() => output.on("error", onError)),
    () => Effect.sync(() => output.off("error", onError))
  )
  return (text) =>
    Effect.callback<void>((resume) => {
      output.write(`${text}\n`, () => resume(Effect.void))
    })
})
