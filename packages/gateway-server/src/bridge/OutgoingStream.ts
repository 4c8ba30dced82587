import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ServerResponse } from "node:http"
import type { Limits } from "@secure-mcp/transport-injection"

/** Texts on their way to a client, in order. Nobody waits for the client to read them. */
export interface OutgoingStream {
  /** Sends a text once those before it have been sent. */
  readonly write: (text: string) => Effect.Effect<void>
  /** Sends a text, unless others wait. */
  readonly writeIfIdle: (text: string) => Effect.Effect<void>
  /** Ends the response once everything has been sent. */
  readonly end: Effect.Effect<void>
  /** Ends the response, and drops what the client has not read. */
  readonly drop: Effect.Effect<void>
  readonly isOpen: () => boolean
}

/** How long more than `limits.unread_messages` may wait while the client reads nothing at all. */
const patience = "2 seconds"

/** The bytes that are handed to Node at once. */
const chunkSize = 64 * 1024

/**
 * Sends texts over a response. What the client has not read waits in memory, and if that becomes too much its
 * connection is closed: nobody else must wait for a client that does not read. The text that is being sent does not
 * count, so that a long one arrives at everybody who reads.
 *
 * The bound on bytes holds at all times. The bound on messages is for a client that has stopped reading, because one that
 * reads may well be behind by many short messages.
 */
export const makeOutgoingStream = Effect.fnUntraced(function* (
  response: ServerResponse,
  { unreadBytes, unreadMessages }: Pick<Limits, "unreadBytes" | "unreadMessages">
): Effect.fn.Return<OutgoingStream, never, Scope.Scope> {
  const scope = yield* Effect.scope
  let waiting: Array<string> = []
  let waitingBytes = 0
  let mustWait = false
  let isEnding = false
  let isWatched = false
  /** How often the client has read all that Node had for it. */
  let reads = 0

  const isOpen = () => !isEnding && !response.writableEnded && !response.destroyed

  const send = (text: string) => {
    if (mustWait) {
      waiting.push(text)
      waitingBytes += Buffer.byteLength(text)
    } else mustWait = !response.write(text)
  }
  const endIfSent = () => {
    if (isEnding && waiting.length === 0) response.end()
  }
  response.on("drain", () => {
    reads += 1
    mustWait = false
    let sent = 0
    while (!mustWait && sent < waiting.length) {
      let chunk = ""
      while (sent < waiting.length && chunk.length < chunkSize) chunk += waiting[sent++]
      waitingBytes -= Buffer.byteLength(chunk)
      mustWait = !response.write(chunk)
    }
    waiting = waiting.slice(sent)
    endIfSent()
  })

  const close = Effect.suspend(() => {
    const unread = `${waiting.length} messages with ${waitingBytes} bytes wait for it`
    response.destroy()
    return Effect.logWarning(
      `Closed a stream whose client does not read it: ${unread} (\`limits.unread_messages\` is ${unreadMessages}, \`limits.unread_bytes\` is ${unreadBytes})`
    )
  })
  const hasTooManyMessages = () => waiting.length > unreadMessages && !response.destroyed

  const watch: Effect.Effect<void> = Effect.suspend(() => {
    const before = reads
    return Effect.flatMap(Effect.sleep(patience), () => {
      if (!hasTooManyMessages()) return Effect.sync(() => (isWatched = false))
      return reads === before ? close : watch
    })
  })
  const watchIfNeeded = Effect.suspend(() => {
    if (isWatched || !hasTooManyMessages()) return Effect.void
    isWatched = true
    return Effect.asVoid(Effect.forkIn(watch, scope))
  })

  const write = (text: string) =>
    Effect.suspend(() => {
      if (!isOpen()) return Effect.void
      if (waitingBytes >= unreadBytes) return close
      send(text)
      return watchIfNeeded
    })

  return {
    write: (text) =>
      // Node sends at the end of the turn: only what still waits then was not read.
      Effect.suspend(() =>
        waitingBytes >= unreadBytes ? Effect.andThen(Effect.yieldNow, write(text)) : write(text)
      ),
    writeIfIdle: (text) => Effect.suspend(() => (mustWait ? Effect.void : write(text))),
    end: Effect.sync(() => {
      if (!isOpen()) return
      isEnding = true
      endIfSent()
    }),
    drop: Effect.sync(() => {
      if (waiting.length > 0) response.destroy()
      else if (isOpen()) response.end()
    }),
    isOpen
  }
})
