import * as Effect from "effect/Effect"
import type { Figures } from "../measurement/Measurement.ts"
import { median } from "../measurement/Statistics.ts"
import type { CouldNotStart } from "../process/CouldNotStart.ts"
import type { StartedProcess } from "../process/StartedProcess.ts"
import { usageOf } from "../process/ProcessTree.ts"
import { initialize, makeLineClient } from "../relays/LineClient.ts"
import type * as Scope from "effect/Scope"

/** Starts of a round, of which the median counts. */
const starts = 3

/** Starts a process and waits until it is of use. */
export type Start = Effect.Effect<StartedProcess, CouldNotStart, Scope.Scope>

/** Waits until a server on a port answers any request. */
export const untilAnswer = async (port: number): Promise<void> => {
  for (const end = performance.now() + 30_000; performance.now() < end;) {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer !== undefined) return
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  throw new Error(`Nobody answers on port ${port}`)
}

/** Waits until `initialize` is answered on the standard streams. */
export const untilInitialized = (started: StartedProcess): Promise<void> =>
  initialize(makeLineClient(started))

/** The time from the start until it is of use, and the CPU time until then, both in milliseconds. */
export const timeStarts = async (name: string, start: Start): Promise<Figures> => {
  const times: Array<{ readonly time: number; readonly cpu: number }> = []
  while (times.length < starts) {
    const begin = performance.now()
    times.push(
      await Effect.runPromise(
        Effect.scoped(
          Effect.map(start, ({ pid }) => ({
            time: performance.now() - begin,
            cpu: usageOf(pid).cpu / 1000
          }))
        )
      )
    )
  }
  return {
    [name]: median(times.map(({ time }) => time)),
    [`${name}-cpu`]: median(times.map(({ cpu }) => cpu))
  }
}
