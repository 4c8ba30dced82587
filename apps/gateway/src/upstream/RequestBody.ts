import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import * as Effect from "effect/Effect"

/** Bytes of a request body that are buffered, so that the request can be repeated with another token. */
const repeatableBytes = 4 * 1024 * 1024

/** The body of a client's request: complete, or its beginning and a stream of the rest. */
export interface RequestBody {
  /** The buffered beginning; the complete body if there is no `rest`. */
  readonly head: Buffer
  /** What follows the head. It can be read once, so the request cannot be repeated. */
  readonly rest?: IncomingMessage
}

/** Buffers a body up to 4 MiB and leaves the rest to be streamed. */
export const readRequestBody = (
  request: IncomingMessage,
  response: ServerResponse
): Effect.Effect<RequestBody> =>
  request.method === "GET" || request.method === "DELETE"
    ? Effect.succeed({ head: Buffer.alloc(0) })
    : readHead(request, response)

const readHead = (request: IncomingMessage, response: ServerResponse): Effect.Effect<RequestBody> =>
  Effect.callback((resume) => {
    // Effect's server does not do this: the reader of the body must, but not for HTTP/1.0 (RFC 9110 §10.1.1).
    if (/\b100-continue\b/i.test(request.headers.expect ?? "") && request.httpVersion !== "1.0")
      response.writeContinue()
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
    // When a client disconnects, the response closes, which interrupts the whole request.
    const onError = () => undefined
    const release = () => {
      request.off("data", onData).off("end", onEnd)
    }
    request.on("data", onData).on("end", onEnd).on("error", onError)
    return Effect.sync(release)
  })

/** The body in the form that undici sends. */
export const outgoingBody = ({ head, rest }: RequestBody): Buffer | Readable | null => {
  if (rest !== undefined) return Readable.from(concatenate(head, rest), { objectMode: false })
  return head.length === 0 ? null : head
}

async function* concatenate(head: Buffer, rest: IncomingMessage): AsyncGenerator<Buffer> {
  yield head
  yield* rest
}
