import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"
import { PassThrough, pipeline, Writable } from "node:stream"
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

/** The answer begins a session. Nothing of it is written before one of the two effects runs. */
export interface SessionBegun {
  readonly _tag: "SessionBegun"
  readonly sessionId: string
  /** Forwards the answer. Succeeds when it is written; interrupting it closes the connection to the server. */
  readonly forward: Effect.Effect<AttemptOutcome<void>>
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

/**
 * Forwards one exchange and its answer. Succeeds when the answer is written or withheld; fails only if nothing of an
 * answer has been written. Interrupting it closes the connection to the server.
 */
export const forwardExchange = (
  { body, request, response }: Exchange,
  dispatcher: Dispatcher,
  { headers, isRedirected, url, withholdsRefusals, withholdsSessions }: Destination
) =>
  Effect.callback<AttemptOutcome<void> | Redirected | SessionBegun, Error>((resume, signal) => {
    const method = request.method ?? "GET"
    dispatcher.stream(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: body.rest === undefined ? headers : withLength(request, headers),
        body: outgoingBody(body),
        signal
      },
      (answer) => {
        const status = answer.statusCode
        const location = answer.headers["location"]
        const redirect = redirectOf(url, status, location?.toString(), method, {
          alreadyFollowed: isRedirected
        })
        if (redirect._tag !== "NotRedirected") {
          resume(Effect.succeed({ _tag: "Redirected", status, redirect }))
          return discard()
        }
        const forwarded = responseHeaders(answer.headers, response.getHeaders())
        const newSession = withholdsSessions ? newSessionOf(answer.headers, request) : undefined
        // Only a request that succeeds begins a session.
        const isBegun = newSession !== undefined && status < 300
        if (newSession !== undefined && !isBegun) delete forwarded[sessionHeader]
        if (withholdsRefusals && mayRefuseToken(status)) {
          const challenge = parseChallenge(answer.headers["www-authenticate"])
          if (refusesToken(status, challenge)) {
            // The streamed part of the body cannot be sent again.
            const refusal = refused(status, challenge, { repeatable: body.rest === undefined })
            if (mayBeAboutSession(challenge, request.headers["mcp-session-id"]))
              return collect((text) => {
                if (text === undefined || !mentionsSession(text.toString()))
                  return resume(Effect.succeed(refusal))
                response.writeHead(status, forwarded).end(text)
                resume(Effect.succeed(answered))
              })
            resume(Effect.succeed(refusal))
            return discard()
          }
        }
        const begin = (): Writable => {
          if (hasNoContent.has(status)) {
            delete forwarded["content-length"]
            response
              .writeHead(status, status === 205 ? { ...forwarded, "content-length": "0" } : forwarded)
              .end()
            return discard()
          }
          response.writeHead(status, forwarded)
          if (isEventStream(answer.headers["content-type"])) response.flushHeaders()
          return response
        }
        if (!isBegun) return begin()
        const held = new PassThrough()
        // Until it is forwarded nobody else listens.
        held.on("error", () => undefined)
        resume(Effect.succeed(sessionBegun(newSession, held, begin)))
        return held
      },
      (error) => {
        if (error === null) resume(Effect.succeed(answered))
        else if (response.headersSent) resume(Effect.sync(() => hangUp(response)))
        else resume(Effect.fail(error))
      }
    )
  })

const sessionHeader = "mcp-session-id"

/** The session that an answer names, if it is not the one of the request. */
const newSessionOf = (headers: IncomingHttpHeaders, request: IncomingMessage): string | undefined => {
  // Several are one to whoever reads them.
  const sessionId =
    headers[sessionHeader] === undefined ? undefined : [headers[sessionHeader]].flat().join(", ")
  return sessionId === request.headers[sessionHeader] ? undefined : sessionId
}

const sessionBegun = (sessionId: string, held: PassThrough, begin: () => Writable): SessionBegun => {
  const withhold = Effect.sync(() => void held.destroy())
  return {
    _tag: "SessionBegun",
    sessionId,
    forward: Effect.callback<AttemptOutcome<void>>((resume) => {
      pipeline(held, begin(), () => resume(Effect.succeed(answered)))
      return withhold
    }),
    withhold
  }
}

/** Not every server takes a body whose length it does not know. */
const withLength = ({ headers }: IncomingMessage, forwarded: IncomingHttpHeaders): IncomingHttpHeaders =>
  headers["content-length"] === undefined
    ? forwarded
    : { ...forwarded, "content-length": headers["content-length"] }

const answered = accepted<void>(undefined)

/** What a server sends with these is no content, and must not be taken for the next answer (RFC 9110 §15.3.5, §15.3.6). */
const hasNoContent: ReadonlySet<number> = new Set([204, 205])

const isEventStream = (contentType: string | ReadonlyArray<string> | undefined): boolean =>
  String(contentType).startsWith("text/event-stream")

/** Reads a withheld answer, and gives undefined for one that is too long. */
const collect = (onEnd: (body: Buffer | undefined) => void): Writable => {
  const chunks: Array<Buffer> = []
  let size = 0
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      size += chunk.length
      chunks.push(chunk)
      if (size <= maxRefusalBytes) return done(null)
      onEnd(undefined)
      done(new Error("the withheld answer is too long"))
    },
    final(done) {
      onEnd(Buffer.concat(chunks))
      done(null)
    }
  })
}

/** Reads a withheld answer, so that its connection can be used again; a long one closes it. */
const discard = (): Writable => {
  let remaining = maxRefusalBytes
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      remaining -= chunk.length
      done(remaining < 0 ? new Error("the withheld answer is too long") : null)
    }
  })
}

/** Closes the connection to the client, which shows it that the answer is incomplete. */
const hangUp = (response: ServerResponse) => {
  response.destroy()
  return answered
}
