import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"

/** A command failed, and the user was told why: the process ends with exit code 1 and says no more. */
export class CommandFailure extends Data.TaggedError("CommandFailure")<{ readonly exitCode: number }> {
  override readonly [Runtime.errorReported] = false
  override readonly [Runtime.errorExitCode] = this.exitCode
}

/** Tells the user, on standard error, what went wrong, and ends the command. */
export const failCommand = (message: string): Effect.Effect<never, CommandFailure> =>
  Effect.andThen(Console.error(message), Effect.fail(new CommandFailure({ exitCode: 1 })))
