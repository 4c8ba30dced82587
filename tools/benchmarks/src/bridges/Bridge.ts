import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Run } from "../measurement/Measurement.ts"
import type { CouldNotStart } from "../process/CouldNotStart.ts"

/** A bridge that serves. */
export interface RunningBridge {
  /** Where MCP requests go. */
  readonly url: string
  /** The root of its processes. */
  readonly pid: number
}

/** Something that offers a stdio server over Streamable HTTP. */
export interface Bridge {
  readonly name: string
  /**
   * Runs until the scope closes.
   *
   * @param server the path of a Node program that is the stdio server
   */
  readonly start: (run: Run, server: string) => Effect.Effect<RunningBridge, CouldNotStart, Scope.Scope>
}
