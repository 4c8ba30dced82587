import * as Effect from "effect/Effect"
import type { StoreUnavailable } from "@secure-mcp/oauth-core"

/** Neither a failing store nor a broken one (a defect, whose text may hold anything) stands in the way of a token. */
export const orWarn =
  (operation: "read" | "written" | "locked") =>
  <A, R>(effect: Effect.Effect<A, StoreUnavailable, R>): Effect.Effect<A | undefined, never, R> =>
    effect.pipe(
      Effect.catch(({ problem }) => warn(operation, problem)),
      Effect.catchDefect(() => warn(operation, unexpected))
    )

const warn = (operation: string, problem: string): Effect.Effect<undefined> =>
  Effect.as(Effect.logWarning(`The token store could not be ${operation}: ${problem}`), undefined)

/** What is said of a defect. */
export const unexpected = "it threw an unexpected error"
