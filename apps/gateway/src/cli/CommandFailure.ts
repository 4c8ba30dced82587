import { type AccessTokenRequest, OAuthError } from "@secure-mcp/oauth-core"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import { describeOAuthError } from "@secure-mcp/gateway-server/internal"

/** A command failed, and the user was told why: the process ends with this exit code and prints no more. */
export class CommandFailure extends Data.TaggedError("CommandFailure")<{ readonly exitCode: number }> {
  override readonly [Runtime.errorReported] = false
  override readonly [Runtime.errorExitCode] = this.exitCode
}

/** Prints what went wrong on standard error and ends the command with exit code 1. */
export const failCommand = (message: string): Effect.Effect<never, CommandFailure> =>
  Effect.andThen(Console.error(message), Effect.fail(new CommandFailure({ exitCode: 1 })))

/**
 * Prints an error on standard error, with what helps, and ends the command with exit code 1.
 *
 * @param request what the error is about
 */
export const failCommandWith =
  (request: AccessTokenRequest | undefined) =>
  (error: { readonly message: string }): Effect.Effect<never, CommandFailure> =>
    failCommand(error instanceof OAuthError ? describeOAuthError(error, request) : error.message)
