import * as Deferred from "effect/Deferred"
import type * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { RecordedRequest } from "./RecordedRequest.ts"

/** How the stub answers one request. */
export type Answer = Message | Streamed | Reset | ResetMidBody | Hang | Held | Dynamic

type AnswerHeaders = Readonly<Record<string, string>>

interface Head {
  readonly status: number
  readonly headers: AnswerHeaders
}

export interface Message extends Head {
  readonly _tag: "Message"
  readonly body: string | Uint8Array
}

interface Streamed extends Head {
  readonly _tag: "Streamed"
  readonly body: Stream.Stream<string>
}

interface Reset {
  readonly _tag: "Reset"
}

export interface ResetMidBody extends Head {
  readonly _tag: "ResetMidBody"
  readonly body: string
  readonly sentCharacters: number
}

interface Hang {
  readonly _tag: "Hang"
}

interface Held {
  readonly _tag: "Held"
  readonly until: Effect.Effect<unknown>
  readonly answer: Answer
}

interface Dynamic {
  readonly _tag: "Dynamic"
  readonly respond: (request: RecordedRequest) => Effect.Effect<Answer>
}

interface HeadOptions {
  /** Default 200. */
  readonly status?: number
  /** Added to, or replacing, the headers the answer has by itself. Names in lower case. */
  readonly headers?: AnswerHeaders
}

interface TextOptions extends HeadOptions {
  /** Default `text/plain; charset=utf-8`. */
  readonly contentType?: string
}

const message = (contentType: string, body: string | Uint8Array, options?: HeadOptions): Message => ({
  _tag: "Message",
  body,
  ...head(contentType, options)
})

const head = (contentType: string, options?: HeadOptions): Head => ({
  status: options?.status ?? 200,
  headers: { "content-type": contentType, ...options?.headers }
})

const json = (body: unknown, options?: HeadOptions): Answer =>
  message("application/json", JSON.stringify(body), options)

/**
 * A valid token answer (RFC 6749 §5.1), each field replaceable by any value. A field set to `undefined` is left
 * out; `scope` and `refresh_token` are in it only when given.
 */
const token = (fields: Readonly<Record<string, unknown>> = {}, options?: HeadOptions): Answer =>
  json(
    { access_token: "stub-access-token", token_type: "Bearer", expires_in: 3600, ...fields },
    { ...options, headers: { "cache-control": "no-store", ...options?.headers } }
  )

const form = (fields: Readonly<Record<string, string>>, options?: HeadOptions): Answer =>
  message("application/x-www-form-urlencoded", new URLSearchParams(fields).toString(), options)

/** Any body under any content type: an HTML page, a mislabelled token, a byte order mark in front. */
const text = (body: string, options?: TextOptions): Answer =>
  message(options?.contentType ?? "text/plain; charset=utf-8", body, options)

/** A body that is no text, such as a compressed one. */
const bytes = (body: Uint8Array, options?: HeadOptions): Answer =>
  message("application/octet-stream", body, options)

/** A complete HTTP message whose JSON stops in the middle of the access token. */
const truncatedJson: Answer = message("application/json", `{"token_type":"Bearer","access_token":"stub-acc`)

/**
 * A token answer of more than `bytes` bytes without Content-Length. It is valid JSON when read to the end, so
 * only a limit on the size can refuse it. Sending stops when the peer hangs up.
 */
const giantBody = (bytes: number): Answer => {
  const block = "a".repeat(65_536)
  const blocks = Math.ceil(bytes / block.length)
  return streamed(
    Stream.make(`{"token_type":"Bearer","access_token":"`).pipe(
      Stream.concat(Stream.range(1, blocks).pipe(Stream.map(() => block))),
      Stream.concat(Stream.make(`"}`))
    ),
    { contentType: "application/json" }
  )
}

/** Headers at once, then the pieces of the body when the stream gives them (from a Queue or a Deferred). */
const streamed = (body: Stream.Stream<string>, options?: TextOptions): Answer => ({
  _tag: "Streamed",
  body,
  ...head(options?.contentType ?? "text/plain; charset=utf-8", options)
})

/** The connection is reset (RST) once the request has been read, before any answer. */
const reset: Answer = { _tag: "Reset" }

/** Headers of a valid token answer and a part of the announced body, then the connection is destroyed. */
const resetMidBody: Answer = {
  _tag: "ResetMidBody",
  ...head("application/json"),
  body: `{"token_type":"Bearer","expires_in":3600,"access_token":"stub-access-token"}`,
  sentCharacters: 40
}

/** Never answers; the connection stays open until the peer or the server's scope closes it. */
const hang: Answer = { _tag: "Hang" }

const redirect = (location: string, status: 301 | 302 | 303 | 307 | 308 = 302): Answer =>
  text("", { status, headers: { location } })

/** A bare failure; `retryAfter` in seconds or as a date (RFC 9110 §10.2.3). */
const status = (code: number, options?: { readonly retryAfter?: number | Date }): Answer =>
  json(
    { error: "temporarily_unavailable" },
    {
      status: code,
      headers: options?.retryAfter === undefined ? {} : { "retry-after": retryAfter(options.retryAfter) }
    }
  )

const retryAfter = (value: number | Date): string =>
  typeof value === "number" ? String(value) : value.toUTCString()

/** Keeps the request in flight until the test completes the Deferred. */
const held = <A>(until: Deferred.Deferred<A>, answer: Answer): Answer => ({
  _tag: "Held",
  until: Deferred.await(until),
  answer
})

/** Decides by the request. A defect is answered with 500 and its description. */
const respondWith = (respond: Dynamic["respond"]): Answer => ({ _tag: "Dynamic", respond })

export const Answer = {
  token,
  json,
  form,
  text,
  bytes,
  status,
  redirect,
  truncatedJson,
  giantBody,
  streamed,
  reset,
  resetMidBody,
  hang,
  held,
  respondWith
}
