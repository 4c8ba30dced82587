import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/** Bytes of a request body that are kept at most, so that the request can be repeated with another token. */
const repeatableBytes = 4 * 1024 * 1024

/** The body of a client's request: complete, or its beginning and a stream of the rest. */
export interface RequestBody {
  /** The kept beginning; the complete body if there is no `rest`. */
  readonly head: Buffer
  /** What follows the head. It can be read once, so the request cannot be repeated. */
  readonly rest?: IncomingMessage
  /** Why there is a `rest`: the body is longer than 4 MiB, or there was no room for it. */
  readonly restBecause?: "TooLong" | "NoRoom"
}

/** Reads the bodies of all requests, and keeps no more of them than there is room for. */
export class RequestBodies extends Context.Service<
  RequestBodies,
  {
    /**
     * Keeps a body of up to 4 MiB, and leaves the rest of a longer one to be streamed; also the rest of one for which there is no room.
     * The room is free again when the scope closes.
     */
    readonly read: (
      request: IncomingMessage,
      response: ServerResponse
    ) => Effect.Effect<RequestBody, never, Scope.Scope>
    /**
     * The same without a fiber. The room is free again when the response closes.
     *
     * @param onBody called once, unless the client goes before its request is complete
     */
    readonly readNow: (
      request: IncomingMessage,
      response: ServerResponse,
      onBody: (body: RequestBody) => void
    ) => void
  }
>()("@secure-mcp/gateway/RequestBodies") {
  /** @param bufferedBytes of all kept bodies together */
  static readonly layer = (bufferedBytes: number) =>
    Layer.sync(RequestBodies, () => {
      const share = makeRoom(bufferedBytes)
      return {
        read: (request, response) =>
          hasNoBody(request)
            ? Effect.succeed({ head: noBytes })
            : Effect.flatMap(Effect.acquireRelease(Effect.sync(share), release), (own) =>
                Effect.callback<RequestBody>((resume) =>
                  Effect.sync(readHead(request, response, own, (body) => resume(Effect.succeed(body))))
                )
              ),
        readNow: (request, response, onBody) => {
          if (hasNoBody(request)) return onBody({ head: noBytes })
          const own = share()
          response.once("close", own.giveBack)
          readHead(request, response, own, onBody)
        }
      }
    })
}

/** What one request has of the room. */
interface Share {
  /** Makes the share so large, if there is room. */
  readonly growTo: (bytes: number) => boolean
  readonly giveBack: () => void
}

const release = ({ giveBack }: Share) => Effect.sync(giveBack)

/** Makes shares of so many bytes. */
const makeRoom = (bytes: number): (() => Share) => {
  let free = bytes
  return () => {
    let taken = 0
    const resize = (size: number) => {
      free -= size - taken
      taken = size
    }
    return {
      growTo: (size) => {
        if (size - taken > free) return false
        resize(size)
        return true
      },
      giveBack: () => resize(0)
    }
  }
}

const hasNoBody = ({ method }: IncomingMessage): boolean => method === "GET" || method === "DELETE"

/** @returns stops reading */
const readHead = (
  request: IncomingMessage,
  response: ServerResponse,
  share: Share,
  onBody: (body: RequestBody) => void
): (() => void) => {
  // Effect's server does not do this: the reader of the body must, but not for HTTP/1.0 (RFC 9110 §10.1.1).
  if (/\b100-continue\b/i.test(request.headers.expect ?? "") && request.httpVersion !== "1.0")
    response.writeContinue()
  const head = makeHead(share, Number(request.headers["content-length"] ?? 0))
  const finish = (body: RequestBody) => {
    stop()
    onBody(body)
  }
  const onData = (chunk: Buffer) => {
    const added = head.add(chunk)
    if (added === "Added") return
    request.pause()
    request.unshift(chunk)
    finish({ head: head.bytes(), rest: request, restBecause: added })
  }
  const onEnd = () => finish({ head: head.bytes() })
  // When a client disconnects, the response closes, which ends the whole exchange.
  const onError = () => undefined
  const stop = () => {
    request.off("data", onData).off("end", onEnd)
  }
  request.on("data", onData).on("end", onEnd).on("error", onError)
  return stop
}

/**
 * Collects chunks. A list of them would take far more than their bytes if a client sends one byte in each, so they are
 * copied into a buffer that doubles.
 *
 * @param declared the length of the whole body; 0 if it is not known
 */
const makeHead = (share: Share, declared: number) => {
  let buffer: Buffer = noBytes
  let size = 0

  return {
    add: (chunk: Buffer): "Added" | "TooLong" | "NoRoom" => {
      const needed = size + chunk.length
      if (needed > repeatableBytes) return "TooLong"
      // A body that comes in one piece, as most do, is not copied.
      if (needed === declared && size === 0 && share.growTo(needed)) {
        buffer = chunk
        size = needed
        return "Added"
      }
      if (needed > buffer.length) {
        const doubled = Math.min(
          2 * buffer.length,
          declared === 0 ? repeatableBytes : declared,
          repeatableBytes
        )
        const capacity = Math.max(needed, doubled)
        if (!share.growTo(capacity)) return "NoRoom"
        const grown = Buffer.allocUnsafeSlow(capacity)
        buffer.copy(grown, 0, 0, size)
        buffer = grown
      }
      chunk.copy(buffer, size)
      size = needed
      return "Added"
    },
    bytes: () => buffer.subarray(0, size)
  }
}

const noBytes = Buffer.alloc(0)

/** The body in the form that undici sends. */
export const outgoingBody = ({ head, rest }: RequestBody): Buffer | Readable | null => {
  if (rest !== undefined) return Readable.from(concatenate(head, rest), { objectMode: false })
  return head.length === 0 ? null : head
}

async function* concatenate(head: Buffer, rest: IncomingMessage): AsyncGenerator<Buffer> {
  // A chunk without bytes would be the last one.
  if (head.length > 0) yield head
  yield* rest
}
