import * as Effect from "effect/Effect"
import { once } from "node:events"
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse
} from "node:http"

/** A server of this machine, until the scope closes. */
export interface LoopbackServer {
  readonly port: number
  /** Without a slash at the end. */
  readonly url: string
  /** Breaks every connection and refuses new ones, as a server that is stopped. */
  readonly stop: () => Promise<void>
  /** Listens on the same port again. */
  readonly restart: () => Promise<void>
}

/** Listens on a free port of 127.0.0.1. */
export const listen = Effect.fnUntraced(function* (onRequest: RequestListener) {
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, onRequest)
  server.on("clientError", (_, socket) => socket.destroy())
  const bound = yield* Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.once("error", (error) => resume(Effect.die(error)))
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
    () => Effect.promise(() => close(server))
  )
  return {
    port: bound,
    url: `http://127.0.0.1:${bound}`,
    stop: () => close(server),
    restart: async () => {
      const listening = once(server, "listening")
      server.listen(bound, "127.0.0.1")
      await listening
    }
  } satisfies LoopbackServer
})

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

/** A request's whole body as text. Never gives anything for one that breaks off. */
export const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const pieces: Array<Buffer> = []
  for await (const piece of request) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces).toString()
}

export const answerJson = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {}
): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
}

/** Sends the block again and again until the peer hangs up or enough was sent. Gives the bytes sent. */
export const sendEndlessly = async (
  response: ServerResponse,
  block: string,
  mostBytes: number
): Promise<number> => {
  let sent = 0
  while (sent < mostBytes && !response.destroyed) {
    sent += block.length
    if (response.write(block)) continue
    await new Promise<void>((resolve) => {
      const goOn = () => {
        response.off("drain", goOn).off("close", goOn)
        resolve()
      }
      response.once("drain", goOn).once("close", goOn)
    })
  }
  response.end()
  return sent
}
