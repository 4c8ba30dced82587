import * as Effect from "effect/Effect"
import * as MutableRef from "effect/MutableRef"

/** Whether the command of this process is one that people end by telling it to stop. */
export const runsUntilStopped = MutableRef.make(false)

/** Declares the running command to be one of those. */
export const declareRunsUntilStopped = Effect.sync(() => MutableRef.set(runsUntilStopped, true))
