import * as Effect from "effect/Effect"
import { createServer } from "node:net"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { pause } from "../clients/Traffic.ts"
import { startProcess } from "../process/GatewayProcess.ts"

/** Seconds after which a start has to have failed. */
const patience = 15

export const silentRedis: Attack = {
  name: "silent-redis",
  tries: `a Redis that accepts connections and says nothing, at start; through: the gateway has not ended after ${patience} s, or does not say why`,
  run: () =>
    Effect.gen(function* () {
      const tally = makeTally()
      const port = yield* Effect.acquireRelease(
        Effect.callback<{ readonly number: number; readonly close: () => void }>((resume) => {
          const server = createServer((socket) => socket.resume().on("error", () => {}))
          server.listen(0, "127.0.0.1", () => {
            const address = server.address()
            const number = typeof address === "object" && address !== null ? address.port : 0
            resume(Effect.succeed({ number, close: () => void server.close() }))
          })
        }),
        ({ close }) => Effect.sync(close)
      )
      const started = yield* startProcess({
        store: {
          type: "redis",
          url: `redis://127.0.0.1:${port.number}`,
          encryption_key: "a key for an attack, of 32 characters"
        },
        servers: [{ server_name: "plain", config: { url: "http://127.0.0.1:1/mcp" } }]
      })
      yield* Effect.promise(async () => {
        const start = performance.now()
        while (started.isRunning() && performance.now() - start < patience * 1000) await pause(100)
        tally.expect(!started.isRunning(), `the gateway still waits after ${patience} s`)
        tally.expect(/redis/i.test(started.output()), "the gateway does not speak of Redis")
        tally.figure("ended after", (performance.now() - start) / 1000, " s")
      })
      return tally.outcome()
    })
}
