import * as Effect from "effect/Effect"
import { connect, createServer, type Socket } from "node:net"
import { once } from "node:events"

/**
 * A way to Redis on which each message, in either direction, can be stopped.
 *
 * @param pass asked for each message in turn; one that it declines is held back for ever
 */
export const tapRedis = (redisPort: number, pass: () => boolean) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const sockets = new Set<Socket>()
      const forward = (from: Socket, to: Socket) => {
        sockets.add(from)
        from.on("data", (message) => {
          if (pass()) to.write(message)
        })
        from.on("error", () => to.destroy())
        from.on("close", () => to.destroy())
      }
      const server = createServer((client) => {
        const redis = connect(redisPort, "127.0.0.1")
        forward(client, redis)
        forward(redis, client)
      }).listen(0, "127.0.0.1")
      await once(server, "listening")
      return { server, sockets }
    }),
    ({ server, sockets }) =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      })
  ).pipe(
    Effect.map(({ server }) => {
      const address = server.address()
      return typeof address === "object" && address !== null ? address.port : 0
    })
  )
