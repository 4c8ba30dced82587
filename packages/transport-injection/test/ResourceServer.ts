import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as http from "node:http"
import type { AddressInfo, Socket } from "node:net"

export interface SeenRequest {
  readonly authorization: string | undefined
  readonly path: string | undefined
  readonly body: string
}

export interface ResourceServer {
  readonly url: URL
  readonly seen: ReadonlyArray<SeenRequest>
  /** Done when the client hung up on an answer that was not complete. */
  readonly hungUp: Effect.Effect<void>
  /** Done when no more than this many connections are open. */
  readonly connectionsAtMost: (count: number) => Effect.Effect<void>
}

/** An HTTP server on a loopback port that answers as the test says. */
export const makeResourceServer = Effect.fnUntraced(function* (
  answer: (request: SeenRequest, response: http.ServerResponse) => void
): Effect.fn.Return<ResourceServer, never, Scope.Scope> {
  const seen: Array<SeenRequest> = []
  let reportHangUp = () => {}
  const hungUp = new Promise<void>((resolve) => {
    reportHangUp = resolve
  })
  const sockets = new Set<Socket>()
  const server = http.createServer((incoming, response) => {
    response.once("close", () => {
      if (!response.writableFinished) reportHangUp()
    })
    const chunks: Array<Buffer> = []
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
    incoming.once("end", () => {
      const body = Buffer.concat(chunks).toString()
      const request = { authorization: incoming.headers.authorization, path: incoming.url, body }
      seen.push(request)
      answer(request, response)
    })
  })
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("error", () => {}).once("close", () => sockets.delete(socket))
  })
  const connectionsAtMost = (count: number) =>
    Effect.callback<void>((resume) => {
      const look = () => {
        if (sockets.size <= count) resume(Effect.void)
      }
      for (const socket of sockets) socket.on("close", look)
      look()
    })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const { port } = server.address() as AddressInfo
  return {
    url: new URL(`http://127.0.0.1:${port}/mcp`),
    seen,
    hungUp: Effect.promise(() => hungUp),
    connectionsAtMost
  }
})

/** Takes one token and refuses every other with 401. */
export const takesOnly =
  (token: string) =>
  (request: SeenRequest, response: http.ServerResponse): void => {
    response.statusCode = request.authorization === `Bearer ${token}` ? 200 : 401
    response.end(response.statusCode === 200 ? "welcome" : "go away")
  }
