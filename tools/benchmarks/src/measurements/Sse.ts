import * as Effect from "effect/Effect"
import { openStreams } from "../load/Streams.ts"
import type { Contender, Measurement } from "../measurement/Measurement.ts"
import { atMost } from "../measurement/Target.ts"
import { startServer } from "../process/NodeProgram.ts"
import { usageOf } from "../process/ProcessTree.ts"
import { gatewayProxy } from "../proxies/GatewayProxy.ts"
import type { Proxy } from "../proxies/Proxy.ts"
import { nginx } from "../proxies/Nginx.ts"
import { bareNode } from "../proxies/RivalProxies.ts"
import { eventServer } from "../servers/Servers.ts"

/** Open at once. */
const streams = 1000

/** How long events are counted in a round, in milliseconds. */
const counting = 3000

const headers = { accept: "text/event-stream", "mcp-protocol-version": "2025-11-25" }

/** The streams are opened anew for each round; what they take is measured when they are open for the first time. */
const contender = (proxy: Proxy): Contender => ({
  name: proxy.name,
  start: Effect.fnUntraced(function* (run) {
    const server = yield* startServer(eventServer)
    const { pid, url } = yield* proxy.start(run, server.url)
    const count = Math.max(10, streams * run.share)
    const first: { memory?: number } = {}
    // Something must have been loaded and compiled before memory is compared.
    yield* Effect.promise(async () => (await openStreams(url, Math.min(50, count), headers)).close())
    return async () => {
      const before = usageOf(pid).memory
      const open = await openStreams(url, count, headers)
      await pause(1000)
      first.memory ??= (usageOf(pid).memory - before) / count
      open.takeCount()
      const { cpu } = usageOf(pid)
      await pause(Math.max(1000, counting * run.share))
      const spent = usageOf(pid).cpu - cpu
      const events = open.takeCount()
      open.close()
      await pause(500)
      return { memory: first.memory * 1024, cpu: spent / events }
    }
  })
})

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

export const sse: Measurement = {
  name: "sse",
  measures: "1,000 open event streams with an event a second each",
  ours: contender(gatewayProxy),
  rivals: [bareNode, nginx].map(contender),
  rows: [
    { figure: "cpu", title: "CPU per event", unit: "µs" },
    { figure: "memory", title: "memory per stream", unit: "KiB" }
  ],
  targets: [atMost("cpu", 1.1, { rivals: ["bare Node"] }), atMost("memory", 1.1, { rivals: ["bare Node"] })]
}
