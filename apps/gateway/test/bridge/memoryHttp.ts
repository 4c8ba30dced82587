import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http"
import { duplexPair } from "node:stream"
import type { Message } from "./httpCall.ts"

/** One HTTP request that is being answered. */
export interface Exchange {
  /** The HTTP status; undefined until the response begins. */
  readonly status: () => number | undefined
  readonly sessionId: () => string | undefined
  /** All messages so far: those of an event stream as they come, those of a JSON body at its end. */
  readonly messages: () => ReadonlyArray<Message>
  readonly isOver: () => boolean
  /** Closes the connection. */
  readonly close: () => void
}

/** Runs an HTTP handler on connections in memory, so that nothing but the test and the handler decides what happens when. */
export const memoryHttp = Effect.fnUntraced(function* (
  handle: (request: IncomingMessage, response: ServerResponse, body: Buffer) => Effect.Effect<void>
) {
  const run = yield* FiberSet.makeRuntime<never>()
  const server = createServer((incoming, response) => {
    const chunks: Array<Buffer> = []
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
    incoming.on("end", () => run(handle(incoming, response, Buffer.concat(chunks))))
  })
  return (method: string, headers: Record<string, string>, body?: unknown): Exchange => {
    const [clientEnd, serverEnd] = duplexPair()
    server.emit("connection", serverEnd)
    let incoming: IncomingMessage | undefined
    let text = ""
    let isOver = false
    const over = () => (isOver = true)
    const outgoing = request({
      method,
      path: "/mcp",
      headers: { "content-type": "application/json", connection: "close", ...headers },
      createConnection: () => clientEnd
    })
    outgoing.on("error", over).on("close", over)
    outgoing.on("response", (response) => {
      incoming = response
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
      response.on("error", over).on("close", over)
    })
    outgoing.end(body === undefined ? undefined : JSON.stringify(body))
    return {
      status: () => incoming?.statusCode,
      sessionId: () => incoming?.headers["mcp-session-id"]?.toString(),
      messages: () =>
        incoming?.headers["content-type"] === "text/event-stream"
          ? [...text.matchAll(/^data: (.*)\n\n/gm)].map(([, data = ""]) => JSON.parse(data))
          : text === "" || !isOver
            ? []
            : [JSON.parse(text)].flat(),
      isOver: () => isOver,
      close: () => {
        outgoing.destroy()
        serverEnd.destroy()
      }
    }
  }
})

/** Lets everything happen that can happen without the clock. */
export const settle: Effect.Effect<void> = Effect.promise(async () => {
  for (let turn = 0; turn < 12; turn += 1) await new Promise((resolve) => setImmediate(resolve))
})
