import * as Effect from "effect/Effect"
import { startPersons } from "../deployments/Persons.ts"
import { startLoadGenerator } from "../load/LoadGenerator.ts"
import { mcpHeaders, toolCall } from "../load/McpRequest.ts"
import type { Contender, Measurement } from "../measurement/Measurement.ts"
import { atMost } from "../measurement/Target.ts"
import { startServer } from "../process/NodeProgram.ts"
import { usageOf } from "../process/ProcessTree.ts"
import { gatewayProxy } from "../proxies/GatewayProxy.ts"
import type { Proxy } from "../proxies/Proxy.ts"
import { bareNode } from "../proxies/RivalProxies.ts"
import { upstream } from "../servers/Servers.ts"

/** Requests after which memory is looked at. */
const early = 100_000

/** Requests after which growth is looked for: V8 enlarges the room for new objects step by step until then. */
const first = 500_000

/** Requests until it is looked for. */
const all = 1_000_000

/** Persons with a token each. */
const persons = 10_000

const rest = () => new Promise((resolve) => setTimeout(resolve, 1000))

/** A process that was just started, and the same after many requests. It is done once: rounds would all say the same. */
const requestsAt = Effect.fnUntraced(function* (proxy: Proxy, run: Parameters<Contender["start"]>[0]) {
  const server = yield* startServer(upstream)
  const { pid, url } = yield* proxy.start(run, server.url)
  const doJob = yield* startLoadGenerator
  const send = (requests: number) =>
    doJob({
      url,
      method: "POST",
      connections: 32,
      requests: requests * run.share,
      seconds: 120,
      headers: mcpHeaders,
      body: toolCall()
    })
  const memoryAtRest = async () => {
    await rest()
    return usageOf(pid).memory
  }
  const memoryAfter = async (requests: number) => {
    await send(requests)
    return memoryAtRest()
  }
  return yield* Effect.promise(async () => {
    const idle = await memoryAtRest()
    const after = await memoryAfter(early)
    const before = await memoryAfter(first - early)
    return { idle, after, growth: (await memoryAfter(all - first)) - before }
  })
}, Effect.scoped)

const tokensOfPersons = Effect.fnUntraced(function* (run: Parameters<Contender["start"]>[0]) {
  const { job, pid } = yield* startPersons(run, Math.max(10, persons * run.share))
  const doJob = yield* startLoadGenerator
  return yield* Effect.promise(async () => {
    await doJob({ ...job, requests: job.authorizations?.length ?? 0, seconds: 60 })
    await rest()
    return { tokens: usageOf(pid).memory }
  })
}, Effect.scoped)

export const memory: Measurement = {
  name: "memory",
  measures:
    "resident memory: idle, after 100,000 and 1,000,000 requests, and with the tokens of 10,000 persons",
  ours: {
    name: "gateway",
    start: (run) =>
      Effect.gen(function* () {
        const requests = yield* requestsAt(gatewayProxy, run)
        const tokens = yield* tokensOfPersons(run)
        return async () => ({ ...requests, ...tokens })
      })
  },
  rivals: [
    {
      name: bareNode.name,
      start: (run) => Effect.map(requestsAt(bareNode, run), (figures) => async () => figures)
    }
  ],
  rows: [
    { figure: "idle", title: "idle", unit: "MiB" },
    { figure: "after", title: "after 100,000 requests", unit: "MiB" },
    { figure: "growth", title: "growth of the last 500,000 of 1,000,000 requests", unit: "MiB" },
    { figure: "tokens", title: "with the tokens of 10,000 persons", unit: "MiB" }
  ],
  targets: [atMost("idle", 2, { rivals: [bareNode.name] }), atMost("growth", 16)]
}
