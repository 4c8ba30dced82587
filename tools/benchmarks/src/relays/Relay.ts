import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Run } from "../measurement/Measurement.ts"
import type { CouldNotStart } from "../process/CouldNotStart.ts"
import type { StartedProcess } from "../process/StartedProcess.ts"

/** Something that offers a server over HTTP on standard input and output. */
export interface Relay {
  readonly name: string
  /** Runs until the scope closes. */
  readonly start: (run: Run, serverUrl: string) => Effect.Effect<StartedProcess, CouldNotStart, Scope.Scope>
}
