import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as net from "node:net"
import { listenOnLoopback } from "./LoopbackListener.ts"

/**
 * A port of 127.0.0.1 that refuses connections as long as the scope is open. It is the local end of an open
 * connection, so no other process can begin to listen on it meanwhile, as could happen with a port that was bound
 * and released.
 */
export const refusedPort: Effect.Effect<number, never, Scope.Scope> = Effect.gen(function* () {
  const { port } = yield* listenOnLoopback(net.createServer())
  const socket = yield* Effect.acquireRelease(connect(port), (socket) => Effect.sync(() => socket.destroy()))
  return socket.localPort ?? (yield* Effect.die(new Error("The connection has no local port")))
})

const connect = (port: number) =>
  Effect.callback<net.Socket>((resume) => {
    const socket = net.connect(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
    socket.on("error", (error) => resume(Effect.die(error)))
  })
