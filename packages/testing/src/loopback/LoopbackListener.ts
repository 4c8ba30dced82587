import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as net from "node:net"

export interface LoopbackListener {
  readonly port: number
  /** Sends RST to the peer, also when the socket given is the TLS one on top. */
  readonly resetConnection: (socket: net.Socket) => Effect.Effect<void>
}

/** Starts a server on a free port of 127.0.0.1. Closing the scope destroys its connections and closes it. */
export const listenOnLoopback = Effect.fnUntraced(function* (
  server: net.Server
): Effect.fn.Return<LoopbackListener, never, Scope.Scope> {
  const connections = new Set<net.Socket>()
  server.on("connection", (socket: net.Socket) => {
    connections.add(socket)
    socket.once("close", () => connections.delete(socket))
  })
  yield* Effect.acquireRelease(listen(server), () => close(server, connections))

  return {
    port: portOf(server.address()),
    resetConnection: (socket) =>
      Effect.sync(() => {
        const below = [...connections].find(({ remotePort }) => remotePort === socket.remotePort)
        below?.resetAndDestroy()
      })
  }
})

const listen = (server: net.Server) =>
  Effect.callback<void>((resume) => {
    server.once("error", (error) => resume(Effect.die(error)))
    server.listen(0, "127.0.0.1", () => resume(Effect.void))
  })

const close = (server: net.Server, connections: ReadonlySet<net.Socket>) =>
  Effect.callback<void>((resume) => {
    server.close(() => resume(Effect.void))
    for (const socket of connections) socket.destroy()
  })

const portOf = (address: ReturnType<net.Server["address"]>): number => {
  if (address === null || typeof address === "string") throw new Error("The server listens on no port")
  return address.port
}
