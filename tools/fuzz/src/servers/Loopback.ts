import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { connect, type Server } from "node:net"
import { bufferOf } from "../input/Texts.ts"

/** Lets a server listen on a port of this machine until the scope closes; gives the port. */
export const listen = (server: Server): Effect.Effect<number, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        if ("closeAllConnections" in server && typeof server.closeAllConnections === "function")
          server.closeAllConnections()
      })
  )

/** Sends bytes, ends, and gives all bytes that come back until the connection is closed, one in each character. */
export const exchange = (port: number, bytes: string): Effect.Effect<string> =>
  Effect.callback<string>((resume) => {
    let answer = ""
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    socket
      .setEncoding("latin1")
      .on("data", (piece: string) => (answer += piece))
      .on("end", () => socket.destroy())
      // A server may refuse what it gets before it has read all of it.
      .on("error", () => socket.destroy())
      .on("close", () => resume(Effect.succeed(answer)))
      .end(bufferOf(bytes))
    return Effect.sync(() => socket.destroy())
  })
