import * as Effect from "effect/Effect"
import type { Contender, Figures } from "../measurement/Measurement.ts"
import { percentile } from "../measurement/Statistics.ts"
import { startServer } from "../process/NodeProgram.ts"
import { usageOf } from "../process/ProcessTree.ts"
import { mcpServer } from "../servers/Servers.ts"
import { initialize, type LineClient, makeLineClient } from "./LineClient.ts"
import type { Relay } from "./Relay.ts"

/** Requests under way at the same time. */
export const requestCounts = [1, 8]

/** Of each round and count, in seconds. */
const seconds = 2

/** Requests before the first that counts. */
const warmUp = 4000

/** A relay under `tools/call` requests. */
export const relayUnderLoad = (relay: Relay): Contender => ({
  name: relay.name,
  start: Effect.fnUntraced(function* (run) {
    const server = yield* startServer(mcpServer)
    const started = yield* relay.start(run, `${server.url}/mcp`)
    const client = makeLineClient(started)
    yield* Effect.promise(() => initialize(client))
    yield* Effect.promise(() => callFor(client, 8, { seconds: 20, requests: warmUp * run.share }))
    return async () => {
      const figures: Record<string, number> = {}
      for (const atOnce of requestCounts) {
        const { cpu } = usageOf(started.pid)
        const { durations, passed } = await callFor(client, atOnce, { seconds: seconds * run.share })
        Object.assign(figures, {
          [`cpu-${atOnce}`]: (usageOf(started.pid).cpu - cpu) / durations.length,
          [`rate-${atOnce}`]: durations.length / passed,
          [`p99-${atOnce}`]: percentile(durations, 0.99)
        } satisfies Figures)
      }
      return { ...figures, memory: usageOf(started.pid).memory }
    }
  })
})

/** Calls a tool again and again, until the time is over or so many calls were made. */
const callFor = async (
  client: LineClient,
  atOnce: number,
  { requests = Number.POSITIVE_INFINITY, seconds }: { readonly seconds: number; readonly requests?: number }
) => {
  const durations: Array<number> = []
  const begin = performance.now()
  const work = async () => {
    for (let now = begin; now < begin + seconds * 1000 && durations.length < requests;) {
      const sent = performance.now()
      await client.request("tools/call", { name: "a-tool", arguments: { a: "aaaaaa" } })
      now = performance.now()
      durations.push(now - sent)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return { durations: durations.toSorted((a, b) => a - b), passed: (performance.now() - begin) / 1000 }
}
