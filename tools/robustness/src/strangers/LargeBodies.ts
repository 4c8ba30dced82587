import * as Effect from "effect/Effect"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { call } from "../clients/McpCall.ts"
import { open } from "../clients/RawSocket.ts"
import { pause } from "../clients/Traffic.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { bodyOf, answerJson, listen } from "../servers/LoopbackServer.ts"
import { machineEntry } from "../servers/Entries.ts"
import { startAuthorizationServer } from "../servers/AuthorizationServer.ts"
import { apiKey, serveHonest, startTarget } from "./Target.ts"

const mebibyte = 2 ** 20
const most = 400

export const largeBodies: Attack = {
  name: "bodies-at-once",
  tries: `100 bodies of 4 MiB at once, for a server that answers late; through: memory grows by more than ${most} MiB, or an honest client is not served`,
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const release = Promise.withResolvers<void>()
      const mcp = yield* listen((request, response) => {
        void release.promise
          .then(() => bodyOf(request))
          .then(
            () => answerJson(response, 200, { jsonrpc: "2.0", id: 1, result: {} }),
            () => response.destroy()
          )
      })
      const authorizationServer = yield* startAuthorizationServer({ lifetime: 3600, grace: 0 })
      const gateway = yield* startGateway({
        gateway: { api_keys: [apiKey] },
        servers: [machineEntry("target", `${mcp.url}/mcp`, `${authorizationServer.url}/token`)]
      })
      const url = `${gateway.url}/servers/target/mcp`
      const body = Buffer.alloc(4 * mebibyte, `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"`)
      yield* Effect.promise(async () => {
        const before = await gateway.beginMeasurement()
        const sent = Array.from({ length: 100 }, () => call(url, { key: apiKey, body, timeout: 60_000 }))
        await pause(isShort ? 3000 : 6000)
        const { highestMemory, longestComputation, longestStall } = await gateway.figures()
        release.resolve()
        const answers = await Promise.all(sent)
        const after = await gateway.figures()
        const growth = Math.max(highestMemory, after.highestMemory) - before.memory
        for (const { status } of answers)
          tally.expect(
            status === 200 || status === 429 || status === 503,
            `a body was answered with ${status}`
          )
        tally.expect(growth <= most, `memory grew by ${growth.toFixed(0)} MiB`)
        tally.expect((await serveHonest({ url })).isServed, "an honest client is not served afterwards")
        tally.figure("memory", `+${growth.toFixed(0)} MiB`)
        tally.figure("longest computation", longestComputation, " ms")
        tally.figure("longest stall", longestStall, " ms")
      })
      return tally.outcome()
    })
}

export const abandonedBodies: Attack = {
  name: "abandoned-requests",
  tries:
    "clients that leave in the middle of a body or before its answer; through: sockets stay open, or an honest client is not served",
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const target = yield* startTarget()
      const { gateway, host } = target
      const head = (length: number) =>
        `POST /servers/target/mcp HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${apiKey}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`
      yield* Effect.promise(async () => {
        const before = await gateway.figuresAtRest()
        for (let round = 0; round < (isShort ? 5 : 20); round += 1) {
          const sockets = await Promise.all(Array.from({ length: 50 }, () => open(gateway.url)))
          for (const [index, socket] of sockets.entries()) {
            socket.on("error", () => {}).resume()
            socket.write(index % 2 === 0 ? `${head(100_000)}{"a":"${"b".repeat(5000)}` : `${head(2)}{}`)
          }
          await pause(20)
          for (const [index, socket] of sockets.entries())
            if (index % 3 === 0) socket.resetAndDestroy()
            else socket.destroy()
        }
        const start = performance.now()
        let after = await gateway.figuresAtRest()
        while (after.handles > before.handles + 10 && performance.now() - start < 10_000) {
          await pause(250)
          after = await gateway.figuresAtRest()
        }
        tally.expect(
          after.handles <= before.handles + 10,
          `${after.handles - before.handles} more handles are open`
        )
        tally.expect((await serveHonest(target)).isServed, "an honest client is not served afterwards")
        tally.figure("handles", `${before.handles} -> ${after.handles}`)
      })
      return tally.outcome()
    })
}
