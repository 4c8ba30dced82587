import * as Effect from "effect/Effect"
import { type IncomingMessage, request, type RequestListener, type RequestOptions } from "node:http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"

/** An upstream that does to each request what the test says, on Node's own objects. */
export const serveRaw = (listener: RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer(listener)
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  ).pipe(
    Effect.map((server) => {
      const { port } = server.address() as AddressInfo
      return { server, url: `http://127.0.0.1:${port}/mcp` }
    })
  )

export interface RawRequest extends RequestOptions {
  readonly body?: string | Buffer
}

/** An answer as it stood on the wire, once all of it is there. */
export interface RawAnswer {
  readonly status: number
  readonly headers: IncomingMessage["headers"]
  readonly body: Buffer
}

/** A request with exactly these headers, on a connection of its own, and its whole answer. */
export const send = (url: string, options: RawRequest = {}): Effect.Effect<RawAnswer> =>
  Effect.promise(async () => {
    const response = await open(url, options)
    const body = await buffer(response)
    return { status: response.statusCode ?? 0, headers: response.headers, body }
  })

/** A request whose answer has begun. */
export const open = (url: string, { body, ...options }: RawRequest = {}) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    request(url, { agent: false, ...options })
      .on("response", resolve)
      .on("error", reject)
      .end(body)
  })

/** The JSON-RPC messages the gateway does not look into. */
export const rpc = (message: object): RawRequest => ({
  method: "POST",
  headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
  body: JSON.stringify(message)
})

/** A request that every MCP server understands. */
export const ping = rpc({ jsonrpc: "2.0", id: 1, method: "ping" })

/** A body read as the gateway's own JSON-RPC error. */
export const failureIn = ({ body }: RawAnswer): GatewayFailure => JSON.parse(body.toString())

interface GatewayFailure {
  readonly jsonrpc: string
  readonly id: unknown
  readonly error: {
    readonly code: number
    readonly message: string
    readonly data: { readonly reason: string; readonly server_name: string; readonly correlation_id: string }
  }
}
