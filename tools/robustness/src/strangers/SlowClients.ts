import * as Effect from "effect/Effect"
import type { Socket } from "node:net"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { exchangeRaw, open, statusesIn } from "../clients/RawSocket.ts"
import { pause } from "../clients/Traffic.ts"
import { apiKey, serveHonest, startTarget } from "./Target.ts"

/** Milliseconds that an honest client may wait. */
const patience = 1500

/** Opens connections that begin with `first` and go on a byte at a time, and looks how honest clients fare meanwhile. */
const slowAttack = (name: string, tries: string, first: (host: string) => string, more: string): Attack => ({
  name,
  tries: `${tries}; through: an honest client is not served within ${patience} ms, or memory grows by more than 150 MiB`,
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const target = yield* startTarget()
      const { gateway, host } = target
      yield* Effect.promise(async () => {
        const before = await gateway.beginMeasurement()
        const sockets: Array<Socket> = []
        for (let count = 0; count < (isShort ? 300 : 1000); count += 1) {
          const socket = await open(gateway.url)
          socket.on("error", () => {}).resume()
          socket.write(first(host))
          sockets.push(socket)
        }
        const durations: Array<number> = []
        for (let round = 0; round < (isShort ? 10 : 40); round += 1) {
          if (more !== "") for (const socket of sockets) socket.write(more)
          const { duration, isServed } = await serveHonest(target)
          durations.push(duration)
          tally.expect(
            isServed && duration < (isShort ? 5 * patience : patience),
            `an honest client ${isServed ? "waited too long" : "failed"}`
          )
          await pause(100)
        }
        const { highestMemory } = await gateway.figures()
        for (const socket of sockets) socket.destroy()
        tally.expect(highestMemory - before.memory < 150, "memory grew by more than 150 MiB")
        tally.figure("connections", sockets.length)
        tally.figure("slowest honest", Math.max(...durations), " ms")
        tally.figure("memory", `+${(highestMemory - before.memory).toFixed(0)} MiB`)
      })
      return tally.outcome()
    })
})

const headOf = (host: string, length: number) =>
  `POST /servers/target/mcp HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${apiKey}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`

export const slowClients: ReadonlyArray<Attack> = [
  slowAttack("idle-connections", "connections that say nothing", () => "", ""),
  slowAttack(
    "slow-headers",
    "heads that come a byte at a time",
    (host) => `POST /servers/target/mcp HTTP/1.1\r\nHost: ${host}\r\nX-Slow: `,
    "a"
  ),
  slowAttack(
    "slow-bodies",
    "bodies that come a byte at a time",
    (host) => `${headOf(host, 100_000)}{"a":"`,
    "a"
  )
]

export const headerFlood: Attack = {
  name: "header-flood",
  tries:
    "heads of 20 KB to 4 MB, and of 10,000 headers; through: one is served, or an honest client is not afterwards",
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const target = yield* startTarget()
      const { arrived, gateway, host } = target
      const start = `POST /servers/target/mcp HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${apiKey}\r\n`
      const heads = [
        `${start}X-Long: ${"a".repeat(20_000)}\r\n`,
        `${start}X-Long: ${"a".repeat(4_000_000)}\r\n`,
        start + Array.from({ length: 10_000 }, (_, index) => `X-${index}: 1\r\n`).join(""),
        `POST /${"a".repeat(100_000)} HTTP/1.1\r\nHost: ${host}\r\n`,
        `${start}Cookie: ${"a=b; ".repeat(10_000)}\r\n`
      ]
      yield* Effect.promise(async () => {
        for (let round = 0; round < (isShort ? 2 : 10); round += 1)
          for (const [index, head] of heads.entries()) {
            const answer = await exchangeRaw(gateway.url, `${head}Content-Length: 2\r\n\r\n{}`, 1000).catch(
              () => ""
            )
            tally.expect(!statusesIn(answer).some((status) => status < 400), `head ${index} was served`)
          }
        tally.expect(arrived.length === 0, "a head reached the server")
        tally.expect((await serveHonest(target)).isServed, "an honest client is not served afterwards")
      })
      return tally.outcome()
    })
}
