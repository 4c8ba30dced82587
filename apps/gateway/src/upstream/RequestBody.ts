import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import * as Effect from "effect/Effect"

/** How much of a request is kept, so that it can be repeated with another token. */
const repeatableBytes = 4 * 1024 * 1024

/** What a client sent: whole and repeatable, or its beginning and a stream of the rest. */
export interface RequestBody {
  /** The body, or as much of it as was kept. */
  readonly head: Buffer
  /** What follows the head, readable once; absent when the head is all. */
  readonly rest?: IncomingMessage
}

/** Reads a body up to the size that can be repeated, and leaves the rest to be streamed. */
export const readRequestBody = (
  request: IncomingMessage,
  response: ServerResponse
): Effect.Effect<RequestBody> =>
  request.method === "GET" || request.method === "DELETE"
    ? Effect.succeed({ head: Buffer.alloc(0) })
    : readHead(request, response)

const readHead = (request: IncomingMessage, response: ServerResponse): Effect.Effect<RequestBody> =>
  Effect.callback((resume) => {
    // Effect's server leaves this to whoever reads the body (RFC 9110 §10.1.1).
    if (/\b100-continue\b/i.test(request.headers.expect ?? "")) response.writeContinue()
    const chunks: Array<Buffer> = []
    let size = 0
    const finish = (body: RequestBody) => {
      release()
      resume(Effect.succeed(body))
    }
    const onData = (chunk: Buffer) => {
      chunks.push(chunk)
      size += chunk.length
      if (size > repeatableBytes) {
        request.pause()
        finish({ head: Buffer.concat(chunks), rest: request })
      }
    }
    const onEnd = () => finish({ head: chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks) })
    // A client that goes away is noticed on the response, which interrupts the whole request.
    const onError = () => undefined
    const release = () => {
      request.off("data", onData).off("end", onEnd)
    }
    request.on("data", onData).on("end", onEnd).on("error", onError)
    return Effect.sync(release)
  })

/** The body as undici takes it. */
export const outgoingBody = ({ head, rest }: RequestBody): Buffer | Readable | null => {
  if (rest !== undefined) return Readable.from(concatenate(head, rest), { objectMode: false })
  return head.length === 0 ? null : head
}

async function* concatenate(head: Buffer, rest: IncomingMessage): AsyncGenerator<Buffer> {
  yield head
  yield* rest
}
