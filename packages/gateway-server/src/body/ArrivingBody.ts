import type { IncomingMessage } from "node:http"
import { Readable } from "node:stream"
import { freeWhenWritten } from "@secure-mcp/oauth-core/internal"

/** A body that is sent to the server while it arrives, and kept until then for a second time. */
export class ArrivingBody {
  readonly length: number
  readonly #request: IncomingMessage
  readonly #blocks: Blocks
  readonly #kept: Array<Buffer> = []
  #size = 0
  #isKept = true
  #bytes: Buffer | undefined
  #stream: Readable | undefined
  #onComplete: (() => void) | undefined

  constructor(request: IncomingMessage, length: number, blocks: Blocks) {
    this.length = length
    this.#request = request
    this.#blocks = blocks
    request.on("data", (chunk: Buffer) => this.#add(chunk))
  }

  get isComplete(): boolean {
    return this.#size === this.length
  }

  /** What has arrived; all of it after `whenComplete`. */
  bytes(): Buffer {
    return this.#bytes ?? Buffer.concat(this.#kept, Math.min(this.#size, this.#kept.length * blockBytes))
  }

  /** Keeps no more of it: nobody will send it again, but who was called back by `whenComplete`. */
  forget(): void {
    this.#isKept = false
    this.#blocks.giveBack(this.#kept.splice(0))
  }

  /** Reads it to its end, even if the server does not want it any more. Calls back never if the client goes. */
  whenComplete(onComplete: () => void): void {
    this.#onComplete = onComplete
    if (this.isComplete) this.#complete()
    else this.#request.resume()
  }

  /** The body from its beginning, for the first who sends it. It is read no faster than that. */
  stream(): Readable {
    const stream = new Readable({
      highWaterMark: 4 * blockBytes,
      read: () => void this.#request.resume(),
      // Who breaks it off has said why already.
      destroy: (_error, done) => {
        this.#stream = undefined
        this.#request.resume()
        done(null)
      }
    })
    if (this.#size > 0) stream.push(this.bytes())
    if (this.isComplete) stream.push(null)
    this.#stream = stream
    return stream
  }

  #add(chunk: Buffer): void {
    if (this.#isKept) this.#keep(chunk)
    this.#size += chunk.length
    if (
      this.#stream?.push(freeWhenWritten(chunk)) === false &&
      !this.isComplete &&
      this.#onComplete === undefined
    )
      this.#request.pause()
    if (!this.isComplete) return
    this.#stream?.push(null)
    this.#complete()
  }

  #complete(): void {
    if (this.#onComplete === undefined) return
    // A copy, because the blocks are for others as soon as the answer closes.
    if (this.#isKept) this.#bytes ??= this.bytes()
    if (this.#bytes !== undefined) this.#onComplete()
  }

  #keep(chunk: Buffer): void {
    for (let copied = 0; copied < chunk.length;) {
      const filled = (this.#size + copied) % blockBytes
      const block = (filled === 0 ? undefined : this.#kept.at(-1)) ?? this.#blocks.take()
      if (filled === 0) this.#kept.push(block)
      copied += chunk.copy(block, filled, copied)
    }
  }
}

const blockBytes = 64 * 1024

/**
 * Memory for bodies that arrive, which is used again and again: it would cost the garbage collector more than all other work
 * on such a body, because it outlives the objects of its request that are young.
 */
export class Blocks {
  readonly #free: Array<Buffer> = []

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(blockBytes)
  }

  giveBack(blocks: ReadonlyArray<Buffer>): void {
    for (const block of blocks) if (this.#free.length < keptFreeBlocks) this.#free.push(block)
  }
}

/** 8 MiB. */
const keptFreeBlocks = 128
