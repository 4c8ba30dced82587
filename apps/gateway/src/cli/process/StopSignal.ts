import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as MutableRef from "effect/MutableRef"
import * as Runtime from "effect/Runtime"

/** Whether SIGINT and SIGTERM are the ordinary end of this process. */
export class EndsOnSignal extends Context.Service<EndsOnSignal, MutableRef.MutableRef<boolean>>()(
  "@secure-mcp/gateway/EndsOnSignal"
) {}

/** Declares that the running command ends with exit code 0 when it is told to stop. */
export const declareEndsOnSignal = Effect.map(EndsOnSignal, (endsOnSignal) =>
  MutableRef.set(endsOnSignal, true)
)

/** How the process ends. A signal cuts a command short, unless the command was declared to end that way. */
export const makeTeardown =
  (endsOnSignal: EndsOnSignal["Service"]): Runtime.Teardown =>
  (exit, onExit) =>
    Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) && MutableRef.get(endsOnSignal)
      ? onExit(0)
      : Runtime.defaultTeardown(exit, onExit)
