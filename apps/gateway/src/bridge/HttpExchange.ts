import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { OutgoingHttpHeaders, ServerResponse } from "node:http"
import { sendJson } from "../jsonrpc/HttpAnswer.ts"

/** The response to one HTTP request, to which JSON-RPC messages are written (MCP, Streamable HTTP). */
export interface HttpExchange {
  /** Sends a message ahead of the answers: from here on the response is an event stream. */
  readonly notify: (text: string) => Effect.Effect<void>
  /**
   * Sends an answer; with the last one the response ends. If nothing was sent before, it is plain JSON.
   *
   * @param status the HTTP status, if the response has not begun
   */
  readonly answer: (text: string, status: number) => Effect.Effect<void>
  /** Ends the response, whatever it still waits for. */
  readonly end: Effect.Effect<void>
  readonly isOpen: () => boolean
  /** Completes when the response has been sent, or the client has gone. */
  readonly closed: Effect.Effect<void>
}

const keepAliveInterval = "15 seconds"

/** The most bytes that a client may leave unread before its connection is cut. */
const maxUnread = 8 * 1024 * 1024

/**
 * Begins an exchange. If nothing is sent for 15 seconds, an event stream is opened and a comment sent, so that no proxy
 * closes the connection as idle.
 *
 * @param options.answers how many answers end the response; 0 for an event stream that opens at once and stays
 * @param options.isBatch answers are given as an array
 * @param options.whenFull what to do when the client reads too slowly: let the sender wait, or cut the connection
 */
export const makeHttpExchange = Effect.fnUntraced(function* (options: {
  readonly response: ServerResponse
  readonly headers: OutgoingHttpHeaders
  readonly answers: number
  readonly isBatch: boolean
  readonly whenFull: "wait" | "cut"
}): Effect.fn.Return<HttpExchange, never, Scope.Scope> {
  const { headers, response } = options
  const closed = yield* Deferred.make<void>()
  const onClose = () => Deferred.doneUnsafe(closed, Effect.void)
  if (response.destroyed) onClose()
  response.once("close", onClose).on("error", onClose)

  const answers: Array<string> = []
  let isStreaming = false
  const isOpen = () => !response.writableEnded && !response.destroyed

  const openStream = () => {
    if (isStreaming) return
    isStreaming = true
    response.writeHead(200, { ...headers, ...eventStreamHeaders }).flushHeaders()
    for (const text of answers) response.write(event(text))
  }
  const write = (chunk: string) =>
    Effect.suspend(() => {
      if (!isOpen()) return Effect.void
      openStream()
      if (response.write(chunk)) return Effect.void
      if (options.whenFull === "wait") return drained(response)
      if (response.writableLength > maxUnread) response.destroy()
      return Effect.void
    })
  const end = Effect.sync(() => {
    if (isOpen()) response.end()
  })

  if (options.answers === 0) openStream()
  yield* Effect.forkScoped(Effect.forever(Effect.delay(write(":\n\n"), keepAliveInterval)))
  return {
    notify: (text) => write(event(text)),
    answer: (text, status) =>
      Effect.suspend(() => {
        answers.push(text)
        const isLast = answers.length === options.answers
        if (isStreaming) return Effect.andThen(write(event(text)), isLast ? end : Effect.void)
        if (isLast && isOpen())
          sendJson(
            response,
            options.isBatch ? 200 : status,
            options.isBatch ? `[${answers.join(",")}]` : text,
            headers
          )
        return Effect.void
      }),
    end,
    isOpen,
    closed: Deferred.await(closed)
  }
})

const eventStreamHeaders = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  // Reverse proxies must not buffer events.
  "x-accel-buffering": "no"
}

const event = (text: string) => `event: message\ndata: ${text}\n\n`

const drained = (response: ServerResponse) =>
  Effect.callback<void>((resume) => {
    const release = () => response.off("drain", done).off("close", done)
    const done = () => {
      release()
      resume(Effect.void)
    }
    response.on("drain", done).on("close", done)
    return Effect.sync(release)
  })
