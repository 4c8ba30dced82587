import * as Effect from "effect/Effect"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { call, type Called } from "../clients/McpCall.ts"
import { pause } from "../clients/Traffic.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { startAuthorizationServer } from "../servers/AuthorizationServer.ts"
import { apiKeys, keyOf, machineEntry } from "../servers/Entries.ts"
import { listen } from "../servers/LoopbackServer.ts"
import { startMcpServer } from "../servers/McpServer.ts"

/** Milliseconds that a request to another server may take. */
const patience = 1000

/** Of a server that does not answer. */
const limits = { concurrent_requests: 200 }

export const slowServer: Attack = {
  name: "slow-server",
  tries: `an MCP server and an authorization server that never answer, with 2,000 requests waiting; through: a request to another server fails or takes more than ${patience} ms, or nobody is refused with 429 and Retry-After`,
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const authorizationServer = yield* startAuthorizationServer({ lifetime: 1, grace: 0 })
      const tokenUrl = `${authorizationServer.url}/token`
      const good = yield* startMcpServer(authorizationServer.isValid)
      const silent = yield* listen((request) => void request.resume())
      const gateway = yield* startGateway({
        gateway: { api_keys: apiKeys(["alice"]) },
        servers: [
          machineEntry("good", good.mcpUrl, tokenUrl),
          { ...machineEntry("silent", `${silent.url}/mcp`, tokenUrl), limits },
          { ...machineEntry("silent-token", good.mcpUrl, `${silent.url}/token`), limits }
        ]
      })
      const key = keyOf("alice")
      const ask = (name: string, timeout: number) =>
        call(`${gateway.url}/servers/${name}/mcp`, { key, timeout })
      yield* Effect.promise(async () => {
        await ask("good", 10_000)
        const seconds = isShort ? 3 : 8
        const before = await gateway.beginMeasurement()
        const waiting: Array<Promise<Called>> = []
        for (let count = 0; count < (isShort ? 800 : 2000); count += 1) {
          waiting.push(ask(count % 2 === 0 ? "silent" : "silent-token", seconds * 1000))
          // Slowness is tried here, and not a burst.
          if (count % 50 === 49) await pause(20)
        }
        const others: Array<Called> = []
        for (let count = 0; count < seconds * 5; count += 1) {
          others.push(await ask("good", 10_000))
          await pause(100)
        }
        for (const { duration, status } of others)
          tally.expect(
            status === 200 && duration <= (isShort ? 3 * patience : patience),
            `another server's request: HTTP ${status} after ${duration.toFixed(0)} ms`
          )
        const answers = await Promise.all(waiting)
        const refused = answers.filter(({ status }) => status === 429)
        tally.expect(refused.length > 0, "no request to the slow servers was refused with 429")
        for (const { headers } of refused)
          tally.expect(headers["retry-after"] !== undefined, "a 429 is without Retry-After")
        const { highestMemory } = await gateway.figures()
        tally.figure("refused", `${refused.length} of ${answers.length}`)
        tally.figure("slowest other", Math.max(...others.map(({ duration }) => duration)), " ms")
        tally.figure("memory", `+${(highestMemory - before.memory).toFixed(0)} MiB`)
      })
      return tally.outcome()
    })
}
