import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { OutgoingHttpHeaders, ServerResponse } from "node:http"
import { sendJson } from "../jsonrpc/HttpAnswer.ts"
import type { Limits } from "@secure-mcp/transport-injection"
import { makeOutgoingStream } from "./OutgoingStream.ts"

/** The response to one HTTP request, to which JSON-RPC messages are written (MCP, Streamable HTTP). */
export interface HttpExchange {
  /** Sends messages ahead of the answers: from here on the response is an event stream. */
  readonly notify: (...texts: ReadonlyArray<string>) => Effect.Effect<void>
  /**
   * Sends an answer; with the last one the response ends. If nothing was sent before, it is plain JSON.
   *
   * @param status the HTTP status, if the response has not begun
   */
  readonly answer: (text: string, status: number, headers?: OutgoingHttpHeaders) => Effect.Effect<void>
  /** Sends the only answer with HTTP status 200 and without a fiber; false if that cannot be. */
  readonly answerNow?: (text: string) => boolean
  /** Waits for one answer less: its request was cancelled. Without any answer the response is an empty event stream. */
  readonly cancelAnswer: Effect.Effect<void>
  /** Sends something that keeps the connection open, unless something else is being sent. */
  readonly keepOpen: Effect.Effect<void>
  /** Ends the response, whatever it still waits for. */
  readonly end: Effect.Effect<void>
  /** Ends the response, and drops what the client has not read. */
  readonly drop: Effect.Effect<void>
  readonly isOpen: () => boolean
  /** Completes when the response has been sent, or the client has gone. */
  readonly closed: Effect.Effect<void>
}

/** After so long without a word a connection may be taken for idle. */
export const keepAliveInterval = Duration.seconds(15)

/** How long a client may take to read a response that has ended. */
const longestRead = "10 minutes"

/**
 * Begins an exchange. If nothing is sent for 15 seconds, an event stream is opened and a comment sent, so that no proxy
 * closes the connection as idle.
 *
 * @param options.answers how many answers end the response; 0 for an event stream that opens at once and stays
 * @param options.isBatch answers are given as an array
 */
export const makeHttpExchange = Effect.fnUntraced(function* (options: {
  readonly response: ServerResponse
  readonly headers: OutgoingHttpHeaders
  readonly answers: number
  readonly isBatch: boolean
  readonly limits: Pick<Limits, "unreadBytes" | "unreadMessages">
}): Effect.fn.Return<HttpExchange, never, Scope.Scope> {
  const { headers, limits, response } = options
  const scope = yield* Effect.scope
  const closed = yield* Deferred.make<void>()
  const onClose = () => Deferred.doneUnsafe(closed, Effect.void)
  if (response.destroyed) onClose()
  response.once("close", onClose).on("error", onClose)

  const stream = yield* makeOutgoingStream(response, limits)
  /** Until the response begins. */
  let answers: ReadonlyArray<string> = []
  let answersBytes = 0
  let missing = options.answers
  let isStreaming = false

  const openStream = Effect.suspend(() => {
    if (isStreaming || !stream.isOpen()) return Effect.void
    isStreaming = true
    response.writeHead(200, { ...headers, ...eventStreamHeaders }).flushHeaders()
    const earlier = answers
    answers = []
    return earlier.length === 0 ? Effect.void : stream.write(events(earlier))
  })
  const limitReading = Effect.asVoid(Effect.forkIn(closeUnread(response), scope))
  const end = openStream.pipe(Effect.andThen(stream.end), Effect.andThen(limitReading))
  const endIfComplete = Effect.suspend(() => (missing === 0 && options.answers > 0 ? end : Effect.void))

  const sendCollected = (status: number, more: OutgoingHttpHeaders) =>
    Effect.sync(() => {
      if (!stream.isOpen()) return
      const text = options.isBatch ? `[${answers.join(",")}]` : answers.join("")
      sendJson(response, options.isBatch ? 200 : status, text, { ...headers, ...more })
    }).pipe(Effect.andThen(limitReading))

  const keepOpen = Effect.andThen(openStream, stream.writeIfIdle(":\n\n"))

  if (options.answers === 0) yield* openStream
  yield* Effect.forkScoped(Effect.forever(Effect.delay(keepOpen, keepAliveInterval)))
  return {
    notify: (...texts) => Effect.andThen(openStream, stream.write(events(texts))),
    answer: (text, status, more = {}) =>
      Effect.suspend(() => {
        missing -= 1
        if (isStreaming) return Effect.andThen(stream.write(events([text])), endIfComplete)
        answers = [...answers, text]
        answersBytes += Buffer.byteLength(text)
        if (missing === 0) return sendCollected(status, more)
        return answersBytes > limits.unreadBytes ? openStream : Effect.void
      }),
    cancelAnswer: Effect.suspend(() => {
      missing -= 1
      if (missing === 0 && !isStreaming && answers.length > 0) return sendCollected(200, {})
      return endIfComplete
    }),
    keepOpen,
    end,
    drop: stream.drop,
    isOpen: stream.isOpen,
    closed: Deferred.await(closed)
  }
})

/** Closes a response that has ended when its client does not read it. */
export const closeUnread = (response: ServerResponse): Effect.Effect<void> =>
  Effect.delay(
    Effect.sync(() => void response.destroy()),
    longestRead
  )

const eventStreamHeaders = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  // Reverse proxies must not buffer events.
  "x-accel-buffering": "no"
}

const events = (texts: ReadonlyArray<string>) =>
  texts.map((text) => `event: message\ndata: ${text}\n\n`).join("")
