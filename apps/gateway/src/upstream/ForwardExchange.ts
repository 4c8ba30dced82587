import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http"
import { parseChallenge } from "@secure-mcp/oauth-core"
import {
  accepted,
  type AttemptOutcome,
  mayRefuseToken,
  refused,
  refusesToken
} from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import type { Dispatcher } from "undici"
import { mentionsSession } from "../fetch/AnswerBody.ts"
import { responseHeaders } from "./ForwardedHeaders.ts"
import { type Redirect, redirectOf } from "./Redirect.ts"
import { outgoingBody } from "./RequestBody.ts"
import { maxRefusalBytes, mayBeAboutSession } from "./SessionRefusal.ts"
import type { Exchange } from "./Upstream.ts"

/** Where an exchange is forwarded to. */
export interface Destination {
  readonly url: URL
  readonly headers: IncomingHttpHeaders
  /** Whether an answer that refuses the token, or wants one, is not forwarded, because another may be accepted. */
  readonly withholdsRefusals: boolean
  /** Whether the URL is that of a redirect. */
  readonly isRedirected: boolean
  /** Whether an answer that begins a session waits until somebody has decided whether the client may have it. */
  readonly withholdsSessions: boolean
}

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
  destination: Destination
): Effect.Effect<ForwardOutcome> =>
  Effect.callback((resume) => {
    const abort = sendExchange(exchange, dispatcher, destination, (outcome) =>
      resume(Effect.succeed(outcome))
    )
    return Effect.sync(abort)
  })

/**
 * Forwards one exchange and its answer, without a fiber.
 *
 * @param onOutcome called once, when the answer is written or withheld, or there will be none
 * @returns closes the connection to the server, unless the exchange is over
 */
export const sendExchange = (
  exchange: Exchange,
  dispatcher: Dispatcher,
  destination: Destination,
  onOutcome: (outcome: ForwardOutcome) => void
): (() => void) => {
  const { body, request } = exchange
  const { headers, url } = destination
  const answer = new ForwardedAnswer(exchange, destination, onOutcome)
  dispatcher.dispatch(
    {
      origin: url.origin,
      path: url.pathname + url.search,
      method: request.method ?? "GET",
      headers: body.rest === undefined ? headers : withLength(request, headers),
      body: outgoingBody(body)
    },
    answer
  )
  return answer.abort
}

/** What is done with the body of an answer. */
interface AnswerBody {
  readonly write: (chunk: Buffer) => void
  readonly end: () => void
  /** The answer breaks off. */
  readonly fail: (error: Error) => void
}

/** Receives the answer of a server and decides what becomes of it. */
class ForwardedAnswer implements Dispatcher.DispatchHandler {
  readonly #exchange: Exchange
  readonly #destination: Destination
  #onOutcome: ((outcome: ForwardOutcome) => void) | undefined
  #controller: Dispatcher.DispatchController | undefined
  #body: AnswerBody
  #isAborted = false

  constructor(exchange: Exchange, destination: Destination, onOutcome: (outcome: ForwardOutcome) => void) {
    this.#exchange = exchange
    this.#destination = destination
    this.#onOutcome = onOutcome
    this.#body = this.#noBody
    exchange.response.once("close", this.#onClientGone)
  }

  readonly abort = (): void => {
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
    const { body, request, response } = this.#exchange
    const { isRedirected, url, withholdsRefusals, withholdsSessions } = this.#destination
    const redirect = redirectOf(url, status, headers["location"]?.toString(), request.method ?? "GET", {
      alreadyFollowed: isRedirected
    })
    if (redirect._tag !== "NotRedirected") return this.#withhold({ _tag: "Redirected", status, redirect })
    const head = { status, headers: responseHeaders(headers, response.getHeaders()) }
    const newSession = withholdsSessions ? newSessionOf(headers, request) : undefined
    // Only a request that succeeds begins a session.
    const isBegun = newSession !== undefined && status < 300
    if (newSession !== undefined && !isBegun) delete head.headers[sessionHeader]
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
    if (isBegun) this.#holdSession(controller, newSession, head)
    else this.#begin(head)
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body.write(chunk)
  }

  onResponseEnd(): void {
    this.#body.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#body.fail(error)
  }

  #settle(outcome: ForwardOutcome): void {
    const onOutcome = this.#onOutcome
    this.#onOutcome = undefined
    this.#exchange.response.off("close", this.#onClientGone)
    onOutcome?.(outcome)
  }

  /** Also after a complete answer: then there is nothing to end. */
  readonly #onClientGone = (): void => {
    if (!this.#exchange.response.writableFinished) this.abort()
    this.#settle(answered)
  }

  readonly #noBody: AnswerBody = {
    write: () => undefined,
    end: () => undefined,
    fail: (error) => this.#settle({ _tag: "Failed", error })
  }

  /** Reads the answer to its end, so that its connection can be used again; a long one closes it. */
  #withhold(outcome: ForwardOutcome): void {
    this.#discardBody()
    this.#settle(outcome)
  }

  #discardBody(): void {
    let remaining = maxRefusalBytes
    const write = (chunk: Buffer) => {
      remaining -= chunk.length
      if (remaining < 0) this.abort()
    }
    this.#body = { ...nothing, write }
  }

  /** Reads a refusal to find out whether it is about the session: then it is the answer. */
  #readRefusal(refusal: AttemptOutcome<void>, head: AnswerHead): void {
    const chunks: Array<Buffer> = []
    let size = 0
    this.#body = {
      write: (chunk) => {
        size += chunk.length
        chunks.push(chunk)
        if (size <= maxRefusalBytes) return
        this.#settle(refusal)
        this.abort()
      },
      end: () => {
        const text = Buffer.concat(chunks)
        if (mentionsSession(text.toString()))
          this.#exchange.response.writeHead(head.status, head.headers).end(text)
        else this.#settle(refusal)
      },
      fail: this.#noBody.fail
    }
  }

  /** Reads no more of an answer until somebody has decided about its session. */
  #holdSession(controller: Dispatcher.DispatchController, sessionId: string, head: AnswerHead): void {
    controller.pause()
    // What has arrived already comes all the same.
    const arrived: Array<(body: AnswerBody) => void> = []
    this.#body = {
      write: (chunk) => arrived.push((body) => body.write(chunk)),
      end: () => arrived.push((body) => body.end()),
      fail: (error) => arrived.push((body) => body.fail(error))
    }
    this.#settle({
      _tag: "SessionBegun",
      sessionId,
      forward: Effect.callback<ForwardOutcome>((resume) => {
        this.#onOutcome = (outcome) => resume(Effect.succeed(outcome))
        this.#exchange.response.once("close", this.#onClientGone)
        this.#begin(head)
        for (const arrive of arrived) arrive(this.#body)
        controller.resume()
        return Effect.sync(this.abort)
      }),
      withhold: Effect.sync(this.abort)
    })
  }

  /**
   * Begins to answer. The head is written with the first part of the body, or at the end of one that is empty: a server that
   * breaks off between head and body has given no answer, and the client gets an error.
   */
  #begin(head: AnswerHead): void {
    const { response } = this.#exchange
    if (hasNoContent.has(head.status)) {
      this.#discardBody()
      endWithoutContent(response, head)
    } else if (isEventStream(head.headers["content-type"])) {
      response.writeHead(head.status, head.headers).flushHeaders()
      this.#body = this.#forwardedBody
    } else this.#body = this.#bodyAfter(head)
  }

  #bodyAfter(head: AnswerHead): AnswerBody {
    const { response } = this.#exchange
    const writeHead = () => {
      this.#body = this.#forwardedBody
      response.writeHead(head.status, head.headers)
    }
    return {
      write: (chunk) => {
        writeHead()
        // A whole body goes out with its head, in one packet.
        if (head.headers["content-length"] === String(chunk.length)) response.end(chunk)
        else this.#forwardedBody.write(chunk)
      },
      end: () => {
        writeHead()
        response.end()
      },
      fail: this.#noBody.fail
    }
  }

  readonly #forwardedBody: AnswerBody = {
    write: (chunk) => {
      const { response } = this.#exchange
      if (response.write(chunk)) return
      this.#controller?.pause()
      response.once("drain", () => this.#controller?.resume())
    },
    end: () => this.#exchange.response.end(),
    // What the client has is incomplete, which the end of its connection shows.
    fail: () => this.#exchange.response.destroy()
  }
}

/** The status and the headers of an answer, as they are forwarded. */
interface AnswerHead {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
}

const nothing: AnswerBody = { write: () => undefined, end: () => undefined, fail: () => undefined }

const sessionHeader = "mcp-session-id"

/** The session that an answer names, if it is not the one of the request. */
const newSessionOf = (headers: IncomingHttpHeaders, request: IncomingMessage): string | undefined => {
  // Several are one to whoever reads them.
  const sessionId =
    headers[sessionHeader] === undefined ? undefined : [headers[sessionHeader]].flat().join(", ")
  return sessionId === request.headers[sessionHeader] ? undefined : sessionId
}

/** Not every server takes a body whose length it does not know. */
const withLength = ({ headers }: IncomingMessage, forwarded: IncomingHttpHeaders): IncomingHttpHeaders =>
  headers["content-length"] === undefined
    ? forwarded
    : { ...forwarded, "content-length": headers["content-length"] }

const answered = accepted<void>(undefined)

/** What a server sends with these is no content, and must not be taken for the next answer (RFC 9110 §15.3.5, §15.3.6). */
const hasNoContent: ReadonlySet<number> = new Set([204, 205])

const endWithoutContent = (response: ServerResponse, { headers, status }: AnswerHead): void => {
  const { "content-length": _, ...others } = headers
  response.writeHead(status, status === 205 ? { ...others, "content-length": "0" } : others).end()
}

const isEventStream = (contentType: OutgoingHttpHeaders[string]): boolean =>
  String(contentType).startsWith("text/event-stream")
