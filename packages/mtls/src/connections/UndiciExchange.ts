import type { AnswerReading, HttpAnswer, HttpExchange } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import { HttpClientError, InvalidUrlError, TransportError } from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import * as Result from "effect/Result"
import type { Dispatcher } from "undici"

/**
 * Requests over undici itself. The `HttpClient` of Effect makes streams, signals and promises of each request, which cost
 * three times as much as the request.
 */
export const makeUndiciExchange =
  (dispatcher: Dispatcher): HttpExchange =>
  (request, reading) =>
    Effect.callback((resume) => {
      const url = URL.parse(request.url)
      if (url === null) {
        const reason = new InvalidUrlError({ request, cause: undefined })
        return resume(Effect.fail(new HttpClientError({ reason })))
      }
      const reader = new AnswerReader(request, reading, resume)
      const { origin, pathname, search } = url
      const { body, headers, method } = request
      try {
        dispatcher.dispatch(
          {
            origin,
            path: pathname + search,
            method,
            headers,
            body: "body" in body ? bytesOf(body.body) : null
          },
          reader
        )
      } catch (cause) {
        reader.onResponseError(undefined, cause)
      }
      return Effect.sync(() => reader.abort())
    })

/** Requests of OAuth are forms and JSON, which are in memory. */
const bytesOf = (body: unknown): Uint8Array | string | null =>
  typeof body === "string" || body instanceof Uint8Array ? body : null

/** Gathers one answer. It ends as soon as all that is read of it has come. */
class AnswerReader implements Dispatcher.DispatchHandler {
  readonly #request: HttpClientRequest
  readonly #reading: AnswerReading
  readonly #resume: (answer: Effect.Effect<HttpAnswer, HttpClientError>) => void
  readonly #pieces: Array<Uint8Array> = []
  #size = 0
  #status = 0
  #headers: Headers.Headers = Headers.empty
  #controller: Dispatcher.DispatchController | undefined
  #hasEnded = false

  constructor(
    request: HttpClientRequest,
    reading: AnswerReading,
    resume: (answer: Effect.Effect<HttpAnswer, HttpClientError>) => void
  ) {
    this.#request = request
    this.#reading = reading
    this.#resume = resume
  }

  /** Lets go of the connection. */
  abort(): void {
    this.#hasEnded = true
    this.#controller?.abort(new Error("The rest of the answer is not read"))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#hasEnded) this.abort()
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | Array<string> | undefined>>
  ): void {
    // The final answer comes after one that only informs (RFC 9110 §15.2).
    if (status < 200) return
    this.#status = status
    this.#headers = Headers.fromInput(headers)
    if (!this.#reading.isRead(status)) this.#endWithout()
  }

  onResponseData(_controller: Dispatcher.DispatchController, piece: Uint8Array): void {
    if (this.#hasEnded) return
    this.#size += piece.length
    if (this.#size > this.#reading.maxBytes) this.#endWithout()
    else this.#pieces.push(piece)
  }

  onResponseEnd(): void {
    const [first] = this.#pieces
    const body = first !== undefined && this.#pieces.length === 1 ? first : Buffer.concat(this.#pieces)
    this.#answer(Result.succeed(body))
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, cause: unknown): void {
    const error = new HttpClientError({ reason: new TransportError({ request: this.#request, cause }) })
    if (this.#status > 0) this.#answer(Result.fail(error))
    else if (!this.#hasEnded) {
      this.#hasEnded = true
      this.#resume(Effect.fail(error))
    }
  }

  #endWithout(): void {
    this.#answer(Result.succeed(undefined))
    this.abort()
  }

  #answer(body: HttpAnswer["body"]): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#resume(Effect.succeed({ status: this.#status, headers: this.#headers, body }))
  }
}
