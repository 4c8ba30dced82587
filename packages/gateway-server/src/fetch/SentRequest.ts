import type { IncomingHttpHeaders } from "node:http"
import { pipeline } from "node:stream"
import { constants, createGunzip } from "node:zlib"
import type { Dispatcher } from "undici"
import { textOf } from "../jsonrpc/JsonRpc.ts"
import type { FetchRequest, FetchResponse } from "./Fetch.ts"

/** Where a request goes. */
export interface Target {
  readonly dispatcher: Dispatcher
  readonly url: URL
  readonly origin: string
  readonly path: string
}

/**
 * A request that is sent without a fiber, and the answer to it. Of an answer that nobody reads, little more than 64 KiB is
 * taken from the connection.
 */
export class SentRequest implements Dispatcher.DispatchHandler, FetchResponse {
  status = 0
  readonly url: string
  readonly #dispatcher: Dispatcher
  readonly #options: Dispatcher.DispatchOptions
  #onHead: ((failure: Error | undefined) => void) | undefined
  #headers: IncomingHttpHeaders = {}
  #controller: Dispatcher.DispatchController | undefined
  readonly #unread: Array<Buffer> = []
  #unreadBytes = 0
  #end: "Open" | "Complete" | Error = "Open"
  /** Tells whoever reads that there is more, or the end. */
  #wake: (() => void) | undefined
  /** The same for whoever waits for the whole. */
  #look: (() => void) | undefined

  /** @param headers names in lower case and values in turn */
  constructor(
    { dispatcher, origin, path, url }: Target,
    { body, method }: FetchRequest,
    headers: Array<string>
  ) {
    this.url = url.href
    this.#dispatcher = dispatcher
    this.#options = { origin, path, method, headers, body: body ?? null }
  }

  /**
   * Sends the request.
   *
   * @param onHead called once, unless the request is aborted: when the head of the answer is there, or with why there is none
   */
  send(onHead: (failure: Error | undefined) => void): void {
    this.#onHead = onHead
    this.#dispatcher.dispatch(this.#options, this)
  }

  get headers(): FetchResponse["headers"] {
    const headers = this.#headers
    return {
      get: (name) => {
        const value = headers[name]
        return value === undefined ? null : Array.isArray(value) ? value.join(", ") : value
      }
    }
  }

  /** Whether the server has answered with HTTP status 200 and a JSON text that may be short. */
  mayBeShortJson(maxBytes: number): boolean {
    const { "content-encoding": coding, "content-length": length, "content-type": type } = this.#headers
    if (this.status !== 200) return false
    return coding === undefined && type !== undefined && isJson(type) && Number(length ?? 0) <= maxBytes
  }

  /** Closes the connection, unless the answer is complete. */
  abort(): void {
    if (this.#end !== "Open") return
    const reason = new Error("nobody waits for the answer")
    this.#onHead = undefined
    this.#look = undefined
    this.#finish(reason)
    this.#controller?.abort(reason)
  }

  /**
   * Calls back with the text of the whole body; with undefined as soon as it is clear that there is none of so few bytes.
   * The body can be read nevertheless. Does not call back once the request is aborted.
   */
  whenWhole(maxBytes: number, onWhole: (text: string | undefined) => void): void {
    const look = () => {
      if (this.#end === "Open" && this.#unreadBytes <= maxBytes) return
      this.#look = undefined
      const isWhole = this.#end === "Complete" && this.#unreadBytes <= maxBytes
      onWhole(isWhole ? textOf(inOnePiece(this.#unread)) : undefined)
    }
    this.#look = look
    look()
  }

  /** The bytes as the server means them; can be read once. */
  get body(): AsyncIterable<Uint8Array> {
    const raw: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => this.#iterate() }
    return /^(?:x-)?gzip$/i.test(this.headers.get("content-encoding") ?? "") ? unzipped(raw) : raw
  }

  #iterate(): AsyncIterator<Uint8Array> {
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      for (;;) {
        const value = this.#take()
        if (value !== undefined) return { done: false, value }
        if (this.#end === "Complete") return { done: true, value: undefined }
        if (this.#end !== "Open") throw this.#end
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    }
    const stop = async (): Promise<IteratorResult<Uint8Array>> => {
      this.abort()
      return { done: true, value: undefined }
    }
    return { next, return: stop }
  }

  #take(): Buffer | undefined {
    const chunk = this.#unread.shift()
    this.#unreadBytes -= chunk?.length ?? 0
    if (this.#unreadBytes === 0) this.#controller?.resume()
    return chunk
  }

  #finish(end: "Complete" | Error): void {
    this.#end = end
    const onHead = this.#onHead
    this.#onHead = undefined
    if (onHead !== undefined && end instanceof Error) onHead(end)
    this.#wake?.()
    this.#look?.()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#end instanceof Error) controller.abort(this.#end)
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders
  ): void {
    // Interim responses are no answer.
    if (status < 200) return
    this.status = status
    this.#headers = headers
    const onHead = this.#onHead
    this.#onHead = undefined
    onHead?.(undefined)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#unread.push(chunk)
    this.#unreadBytes += chunk.length
    if (this.#unreadBytes > mostUnread) controller.pause()
    this.#wake?.()
    this.#look?.()
  }

  onResponseEnd(): void {
    this.#finish("Complete")
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#end === "Open") this.#finish(error)
  }
}

const isJson = (type: string): boolean =>
  type === "application/json" || /^\s*application\/json\s*(?:;|$)/i.test(type)

/** Bytes that wait for whoever reads the answer. */
const mostUnread = 64 * 1024

const inOnePiece = (chunks: ReadonlyArray<Buffer>): Buffer => {
  const [first] = chunks
  return first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks)
}

/** A stream of events must not wait for its end, and some servers do not end it as gzip wants. */
async function* unzipped(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const atOnce = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }
  yield* pipeline(body, createGunzip(atOnce), () => {})
}
