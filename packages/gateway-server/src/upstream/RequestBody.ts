import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { freeWhenWritten } from "@secure-mcp/oauth-core/internal"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { ArrivingBody, Blocks } from "../body/ArrivingBody.ts"

/** Bytes of a request body that are kept at most, so that the request can be repeated with another token. */
const repeatableBytes = 4 * 1024 * 1024

/** Bytes from which on a body may be sent to the server while it arrives. A shorter one is there within a moment. */
const streamedBytes = 64 * 1024

/** The body of a client's request: complete, still arriving, or its beginning and a stream of the rest. */
export interface RequestBody {
  /** The kept beginning; the complete body if there is no `rest`, and nothing is `arriving`. */
  readonly head: Buffer
  /** There for a body that is sent while it arrives, and kept as well. Once it is complete the request can be repeated. */
  readonly arriving?: ArrivingBody
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
     * @param options.mayArrive whether `onBody` takes a long body that has only begun to arrive
     * @param onBody called once, unless the client goes before its request is complete
     */
    readonly readNow: (
      request: IncomingMessage,
      response: ServerResponse,
      options: { readonly mayArrive: boolean },
      onBody: (body: RequestBody) => void
    ) => void
  }
>()("@secure-mcp/gateway/RequestBodies") {
  /** @param bufferedBytes of all kept bodies together */
  static readonly layer = (bufferedBytes: number) =>
    Layer.sync(RequestBodies, () => {
      const share = makeRoom(bufferedBytes)
      const blocks = new Blocks()
      return {
        read: (request, response) =>
          hasNoBody(request)
            ? Effect.succeed(noBody)
            : Effect.flatMap(Effect.acquireRelease(Effect.sync(share), release), (own) =>
                Effect.callback<RequestBody>((resume) =>
                  Effect.sync(readHead(request, response, own, (body) => resume(Effect.succeed(body))))
                )
              ),
        readNow: (request, response, { mayArrive }, onBody) => {
          if (hasNoBody(request)) return onBody(noBody)
          const own = share()
          const length = mayArrive ? Number(request.headers["content-length"] ?? 0) : 0
          if (length > streamedBytes && length <= repeatableBytes && own.growTo(length)) {
            continueClient(request, response)
            const arriving = new ArrivingBody(request, length, blocks)
            response.on("close", () => {
              arriving.forget()
              own.giveBack()
            })
            onBody({
              arriving,
              get head() {
                return arriving.bytes()
              }
            })
          } else {
            response.on("close", () => own.giveBack())
            readHead(request, response, own, onBody)
          }
        }
      }
    })
}

const release = (share: Share) => Effect.sync(() => share.giveBack())

/** Makes shares of so many bytes. */
const makeRoom = (bytes: number): (() => Share) => {
  const room = { free: bytes }
  return () => new Share(room)
}

/** What one request has of the room. */
class Share {
  readonly #room: { free: number }
  #taken = 0

  constructor(room: { free: number }) {
    this.#room = room
  }

  /** Makes the share so large, if there is room. */
  growTo(size: number): boolean {
    const added = size - this.#taken
    if (added > this.#room.free) return false
    this.#room.free -= added
    this.#taken = size
    return true
  }

  giveBack(): void {
    this.growTo(0)
  }
}

const hasNoBody = ({ method }: IncomingMessage): boolean => method === "GET" || method === "DELETE"

/** Effect's server does not do this: the reader of the body must, but not for HTTP/1.0 (RFC 9110 §10.1.1). */
export const continueClient = (
  { headers: { expect }, httpVersion }: IncomingMessage,
  response: ServerResponse
) => {
  if (expect !== undefined && /\b100-continue\b/i.test(expect) && httpVersion !== "1.0")
    response.writeContinue()
}

/** @returns stops reading */
const readHead = (
  request: IncomingMessage,
  response: ServerResponse,
  share: Share,
  onBody: (body: RequestBody) => void
): (() => void) => {
  continueClient(request, response)
  const declared = Number(request.headers["content-length"] ?? 0)
  const head = new Head(share, declared)
  const finish = (body: RequestBody) => {
    stop()
    onBody(body)
  }
  const onData = (chunk: Buffer) => {
    const added = head.add(chunk)
    if (added === "Added") {
      // The end is not waited for: what comes then is the next request.
      if (head.size === declared) finish({ head: head.bytes() })
      return
    }
    request.pause()
    request.unshift(chunk)
    finish({ head: head.bytes(), rest: request, restBecause: added })
  }
  const onEnd = () => finish({ head: head.bytes() })
  // When a client disconnects, the response closes, which ends the whole exchange.
  const stop = () => {
    request.off("data", onData).off("end", onEnd)
  }
  request.on("data", onData).on("end", onEnd)
  return stop
}

/**
 * Collects chunks. A list of them would take far more than their bytes if a client sends one byte in each, so they are
 * copied into a buffer that doubles.
 */
class Head {
  readonly #share: Share
  readonly #declared: number
  #buffer: Buffer = noBytes
  size = 0

  /** @param declared the length of the whole body; 0 if it is not known */
  constructor(share: Share, declared: number) {
    this.#share = share
    this.#declared = declared
  }

  add(chunk: Buffer): "Added" | "TooLong" | "NoRoom" {
    const needed = this.size + chunk.length
    if (needed > repeatableBytes) return "TooLong"
    // A body that comes in one piece, as most do, is not copied.
    if (needed === this.#declared && this.size === 0 && this.#share.growTo(needed)) {
      this.#buffer = chunk
      this.size = needed
      return "Added"
    }
    if (needed > this.#buffer.length && !this.#growTo(needed)) return "NoRoom"
    chunk.copy(this.#buffer, this.size)
    this.size = needed
    return "Added"
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.size)
  }

  #growTo(needed: number): boolean {
    const most = this.#declared === 0 ? repeatableBytes : this.#declared
    const capacity = Math.max(needed, Math.min(2 * this.#buffer.length, most, repeatableBytes))
    if (!this.#share.growTo(capacity)) return false
    const grown = Buffer.allocUnsafeSlow(capacity)
    this.#buffer.copy(grown, 0, 0, this.size)
    this.#buffer = grown
    return true
  }
}

const noBytes = Buffer.alloc(0)

const noBody: RequestBody = { head: noBytes }

/** The length of a body that undici cannot know: not every server takes one of unknown length. */
export const lengthOf = ({ arriving, rest }: RequestBody, { headers }: IncomingMessage): string | undefined =>
  rest !== undefined || arriving?.isComplete === false ? headers["content-length"] : undefined

/** The body in the form that undici sends. */
export const outgoingBody = (body: RequestBody): Buffer | Readable | null => {
  if (body.arriving?.isComplete === false) return body.arriving.stream()
  const { head, rest } = body
  if (rest !== undefined) return Readable.from(concatenate(head, rest), { objectMode: false })
  return head.length === 0 ? null : head
}

async function* concatenate(head: Buffer, rest: IncomingMessage): AsyncGenerator<Buffer> {
  // A chunk without bytes would be the last one.
  if (head.length > 0) yield head
  for await (const piece of rest) yield freeWhenWritten(piece)
}
