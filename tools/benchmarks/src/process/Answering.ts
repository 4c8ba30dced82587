import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { createServer } from "node:net"
import { CouldNotStart } from "./CouldNotStart.ts"
import type { StartedProcess } from "./StartedProcess.ts"

/** Asks until somebody answers at a URL, for a program that does not say when it serves. */
export const awaitAnswer = (started: StartedProcess, program: string, url: string) =>
  Effect.tryPromise({
    try: () => fetch(url).then((response) => response.body?.cancel()),
    catch: () => new CouldNotStart({ program, reason: `it did not answer: ${started.output()}` })
  }).pipe(Effect.retry({ schedule: Schedule.spaced("10 millis"), times: 3000 }), Effect.asVoid)

/** A port that was free a moment ago, for a program that cannot choose one itself. */
export const freePort = Effect.promise(
  (): Promise<number> =>
    new Promise((resolve) => {
      const server = createServer().listen(0, "127.0.0.1", () => {
        const address = server.address()
        server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
      })
    })
)
