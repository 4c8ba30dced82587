import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Run } from "../measurement/Measurement.ts"
import type { CouldNotStart } from "../process/CouldNotStart.ts"

/** A proxy that serves. */
export interface RunningProxy {
  /** Where MCP requests go. */
  readonly url: string
  /** The root of its processes. */
  readonly pid: number
}

/** Something that passes requests on to a server and adds a token to each. */
export interface Proxy {
  readonly name: string
  /**
   * Runs until the scope closes.
   *
   * @param nodeOptions options of Node, where it is a Node process
   */
  readonly start: (
    run: Run,
    upstreamUrl: string,
    nodeOptions?: ReadonlyArray<string>
  ) => Effect.Effect<RunningProxy, CouldNotStart, Scope.Scope>
}
