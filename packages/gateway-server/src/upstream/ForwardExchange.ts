import type { IncomingHttpHeaders, ServerResponse } from "node:http"
import { parseChallenge } from "@secure-mcp/oauth-core"
import { freeMemory } from "@secure-mcp/oauth-core/internal"
import {
  accepted,
  type AttemptOutcome,
  isRedirect,
  maxRefusalBytes,
  mayBeAboutSession,
  mayRefuseToken,
  mentionsSession,
  type Redirect,
  redirectOf,
  refused,
  refusesToken
} from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import type { Dispatcher } from "undici"
import type { Destination } from "./Address.ts"
import {
  type HeaderPairs,
  isEventStream,
  newSessionOf,
  responseHeaders,
  sessionHeader,
  withoutHeader
} from "./ForwardedHeaders.ts"
import { lengthOf, outgoingBody } from "./RequestBody.ts"
import type { Exchange } from "./Upstream.ts"

/** What became of one exchange. Nothing of an answer has been written, unless it is `Accepted`. */
export type ForwardOutcome = AttemptOutcome<void> | Redirected | SessionBegun | ForwardFailed

/** The answer begins a session. Nothing of it is written before one of the two effects runs. */
export interface SessionBegun {
  readonly _tag: "SessionBegun"
  readonly sessionId: string
  /** Forwards the answer, and gives what became of it. Interrupting it closes the connection to the server. */
  readonly forward: Effect.Effect<ForwardOutcome>
  /** Closes the connection to the server. */
  readonly withhold: Effect.Effect<void>
}

/** The server answered with a redirect, which is not forwarded. */
export interface Redirected {
  readonly _tag: "Redirected"
  /** The HTTP status. */
  readonly status: number
  readonly redirect: Exclude<Redirect, { readonly _tag: "NotRedirected" }>
}

/** There is no answer of the server. */
export interface ForwardFailed {
  readonly _tag: "Failed"
  readonly error: Error
}

/** Forwards one exchange and its answer, as `sendExchange` does. Interrupting it closes the connection to the server. */
export const forwardExchange = (
  exchange: Exchange,
  dispatcher: Dispatcher,
  destination: Destination,
  headers: HeaderPairs
): Effect.Effect<ForwardOutcome> =>
  Effect.callback((resume) => {
    const sent = sendExchange(exchange, dispatcher, destination, headers, (outcome) =>
      resume(Effect.succeed(outcome))
    )
    return Effect.sync(() => sent.abort())
  })

/**
 * Forwards one exchange and its answer, without a fiber.
 *
 * @param headers of the request to the server, without the length of its body
 * @param onOutcome called once, when the answer is written or withheld, or there will be none
 * @returns what closes the connection to the server, unless the exchange is over
 */
export const sendExchange = (
  exchange: Exchange,
  dispatcher: Dispatcher,
  destination: Destination,
  headers: HeaderPairs,
  onOutcome: (outcome: ForwardOutcome) => void
): Pick<ForwardedAnswer, "abort"> => {
  const { body, request } = exchange
  const { origin, path } = destination.address
  const length = lengthOf(body, request)
  const answer = new ForwardedAnswer(exchange, destination, onOutcome)
  dispatcher.dispatch(
    {
      origin,
      path,
      method: request.method ?? "GET",
      headers: length === undefined ? headers : [...headers, "content-length", length],
      body: outgoingBody(body)
    },
    answer
  )
  return answer
}

/** What is done with the body of an answer that is not simply forwarded. */
interface AnswerBody {
  readonly write: (chunk: Buffer) => void
  readonly end: () => void
  /** The answer breaks off. */
  readonly fail: (error: Error) => void
}

/** The status and the headers of an answer, as they are forwarded. */
interface AnswerHead {
  readonly status: number
  readonly headers: HeaderPairs
  /** The length of the body, as the server gives it. */
  readonly length: string | undefined
}

/**
 * Receives the answer of a server and decides what becomes of it.
 *
 * The head of an answer is written with the first part of its body, or at the end of one that is empty: a server that
 * breaks off between head and body has given no answer, and the client gets an error.
 */
class ForwardedAnswer implements Dispatcher.DispatchHandler {
  readonly #exchange: Exchange
  readonly #destination: Destination
  readonly #onClose: () => void
  #onOutcome: ((outcome: ForwardOutcome) => void) | undefined
  #controller: Dispatcher.DispatchController | undefined
  /** What was not written yet. */
  #head: AnswerHead | undefined
  #other: AnswerBody | undefined
  #isAborted = false

  constructor(exchange: Exchange, destination: Destination, onOutcome: (outcome: ForwardOutcome) => void) {
    this.#exchange = exchange
    this.#destination = destination
    this.#onOutcome = onOutcome
    // V8 makes a function that is written where it is assigned to a field in the old generation (as if it were a method that lasts): it
    // would keep all it knows of until the next full collection.
    const onClose = () => this.#onClientGone()
    this.#onClose = onClose
    exchange.response.on("close", onClose)
  }

  abort(): void {
    this.#isAborted = true
    this.#controller?.abort(new Error("nobody waits for the answer"))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#isAborted) this.abort()
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders
  ): void {
    // Interim responses are for the one who asked, which is the gateway.
    if (status < 200) return
    const { body, ownHeaders, request } = this.#exchange
    const { address, isRedirected, withholdsRefusals, withholdsSessions } = this.#destination
    if (isRedirect(status)) {
      const location = headers["location"]?.toString()
      const redirect = redirectOf(address.url, status, location, request.method ?? "GET", {
        alreadyFollowed: isRedirected
      })
      if (redirect._tag !== "NotRedirected") return this.#withhold({ _tag: "Redirected", status, redirect })
    }
    const newSession = withholdsSessions ? newSessionOf(headers, request) : undefined
    // Only a request that succeeds begins a session.
    const isBegun = newSession !== undefined && status < 300
    const forwarded = responseHeaders(headers, ownHeaders)
    const head = {
      status,
      headers: newSession === undefined || isBegun ? forwarded : withoutHeader(forwarded, sessionHeader),
      length: headers["content-length"]
    }
    if (withholdsRefusals && mayRefuseToken(status)) {
      const challenge = parseChallenge(headers["www-authenticate"])
      if (refusesToken(status, challenge)) {
        // The streamed part of the body cannot be sent again.
        const refusal = refused(status, challenge, { repeatable: body.rest === undefined })
        return mayBeAboutSession(challenge, request.headers[sessionHeader])
          ? this.#readRefusal(refusal, head)
          : this.#withhold(refusal)
      }
    }
    const isStream = isEventStream(headers["content-type"])
    if (isBegun) this.#holdSession(controller, newSession, head, isStream)
    else this.#begin(head, isStream)
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#other !== undefined) return this.#other.write(chunk)
    const { response } = this.#exchange
    const length = this.#head?.length
    this.#writeHead()
    // A whole body goes out with its head, in one packet.
    if (length === String(chunk.length)) response.end(chunk)
    else if (!response.write(chunk, (error) => error ?? freeMemory(chunk))) this.#waitForClient()
  }

  onResponseEnd(): void {
    if (this.#other !== undefined) return this.#other.end()
    this.#writeHead()
    this.#exchange.response.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#other !== undefined) this.#other.fail(error)
    // What the client has is incomplete, which the end of its connection shows.
    else if (this.#exchange.response.headersSent) this.#exchange.response.destroy()
    else this.#withdraw({ _tag: "Failed", error })
  }

  #settle(outcome: ForwardOutcome): void {
    const onOutcome = this.#onOutcome
    if (onOutcome === undefined) return
    this.#onOutcome = undefined
    onOutcome(outcome)
  }

  /** Also after a complete answer: then there is nothing to end. */
  #onClientGone(): void {
    if (!this.#exchange.response.writableFinished) this.abort()
    this.#settle(answered)
  }

  /** Nothing of an answer was written, and somebody else will answer, who may need the whole request. */
  #withdraw(outcome: ForwardOutcome): void {
    const { body, response } = this.#exchange
    const withdraw = () => {
      response.off("close", this.#onClose)
      this.#settle(outcome)
    }
    if (body.arriving === undefined) withdraw()
    else body.arriving.whenComplete(withdraw)
  }

  /** Reads the answer to its end, so that its connection can be used again; a long one closes it. */
  #withhold(outcome: ForwardOutcome): void {
    this.#discardBody()
    this.#withdraw(outcome)
  }

  #discardBody(): void {
    let remaining = maxRefusalBytes
    const write = (chunk: Buffer) => {
      remaining -= chunk.length
      if (remaining < 0) this.abort()
    }
    this.#other = { write, end: () => undefined, fail: () => undefined }
  }

  /** Reads a refusal to find out whether it is about the session: then it is the answer. */
  #readRefusal(refusal: AttemptOutcome<void>, head: AnswerHead): void {
    const chunks: Array<Buffer> = []
    let size = 0
    this.#other = {
      write: (chunk) => {
        size += chunk.length
        chunks.push(chunk)
        if (size <= maxRefusalBytes) return
        this.#withdraw(refusal)
        this.abort()
      },
      end: () => {
        const text = Buffer.concat(chunks)
        if (mentionsSession(text.toString()))
          this.#exchange.response.writeHead(head.status, head.headers).end(text)
        else this.#withdraw(refusal)
      },
      fail: (error) => this.#withdraw({ _tag: "Failed", error })
    }
  }

  /** Reads no more of an answer until somebody has decided about its session. */
  #holdSession(
    controller: Dispatcher.DispatchController,
    sessionId: string,
    head: AnswerHead,
    isStream: boolean
  ): void {
    controller.pause()
    // What has arrived already comes all the same.
    const arrived: Array<() => void> = []
    this.#other = {
      write: (chunk) => arrived.push(() => this.onResponseData(controller, chunk)),
      end: () => arrived.push(() => this.onResponseEnd()),
      fail: (error) => arrived.push(() => this.onResponseError(controller, error))
    }
    this.#withdraw({
      _tag: "SessionBegun",
      sessionId,
      forward: Effect.callback<ForwardOutcome>((resume) => {
        // Not written where it is assigned, as in the constructor.
        const onOutcome = (outcome: ForwardOutcome) => resume(Effect.succeed(outcome))
        this.#onOutcome = onOutcome
        this.#exchange.response.on("close", this.#onClose)
        this.#other = undefined
        this.#begin(head, isStream)
        for (const arrive of arrived) arrive()
        controller.resume()
        return Effect.sync(() => this.abort())
      }),
      withhold: Effect.sync(() => this.abort())
    })
  }

  #begin(head: AnswerHead, isStream: boolean): void {
    const { response } = this.#exchange
    if (hasNoContent.has(head.status)) {
      this.#discardBody()
      return endWithoutContent(response, head)
    }
    this.#head = head
    // The first event of a stream may come much later.
    if (!isStream) return
    this.#writeHead()
    response.flushHeaders()
  }

  #writeHead(): void {
    const head = this.#head
    if (head === undefined) return
    this.#head = undefined
    this.#exchange.response.writeHead(head.status, head.headers)
  }

  /** Reads no more from the server than the client takes. */
  #waitForClient(): void {
    this.#controller?.pause()
    this.#exchange.response.once("drain", () => this.#controller?.resume())
  }
}

const answered = accepted<void>(undefined)

/** What a server sends with these is no content, and must not be taken for the next answer (RFC 9110 §15.3.5, §15.3.6). */
const hasNoContent: ReadonlySet<number> = new Set([204, 205])

const endWithoutContent = (response: ServerResponse, { headers, status }: AnswerHead): void => {
  const others = withoutHeader(headers, "content-length")
  response.writeHead(status, status === 205 ? [...others, "content-length", "0"] : others).end()
}
