import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/** A request to the MCP server. Its token and the entry's headers are added by `Fetch`. */
export interface FetchRequest {
  readonly method: "POST" | "GET" | "DELETE"
  readonly headers: Record<string, string>
  readonly body?: string
  /** An address of the entry's origin; the entry's own if it is left out. */
  readonly url?: URL
}

/** The part of the Web's `Response` that is used. */
export interface FetchResponse {
  readonly status: number
  /** Where the answer comes from, after redirects. */
  readonly url: string
  readonly headers: { readonly get: (name: string) => string | null }
  readonly body: AsyncIterable<Uint8Array> | null
}

/** Sends requests to an MCP server. */
export interface Fetch {
  /** Sends a request. The connection is closed with the scope. */
  (request: FetchRequest): Effect.Effect<FetchResponse, UpstreamFailed, Scope.Scope>
  /** The same without a fiber; undefined where requests cannot be sent so. */
  readonly now?: FetchNow
}

/**
 * Sends a request without a fiber, if nothing has to be waited for before it can be sent.
 *
 * @param onAnswer called once, unless the request is aborted: with a whole answer, or with what is left to do to have one
 * @returns undefined if nothing was sent
 */
export type FetchNow = (
  request: FetchRequest,
  onAnswer: (answer: ShortAnswer | Effect.Effect<FetchResponse, UpstreamFailed, Scope.Scope>) => void
) => { readonly abort: () => void } | undefined

/** An answer of HTTP status 200 with a JSON text of up to 64 KiB, which has arrived. */
export interface ShortAnswer {
  readonly text: string
  /** The same as it is read otherwise. */
  readonly response: FetchResponse
}

/** A request that did not lead to an answer. */
export class UpstreamFailed extends Schema.TaggedError<UpstreamFailed>()("UpstreamFailed", {
  /**
   * - `NotSent`: there was no connection, so the server knows nothing of the request.
   * - `Broken`: the connection broke before the answer was complete.
   * - `Refused`: the server answered with an HTTP status that is not 2xx.
   * - `Unusable`: what came with a status of 2xx is no answer of MCP, or too long.
   * - `NoToken`: there is no token that the server accepts.
   * - `NoSession`: the server has forgotten the session, and no other could be begun.
   */
  kind: Schema.Literals(["NotSent", "Broken", "Refused", "Unusable", "NoToken", "NoSession"]),
  /** Shown to the user of `stdio`: holds neither the URL nor a header. */
  problem: Schema.String,
  /** The same without addresses, where `problem` names one: a client of `serve` does not learn where the server is. */
  withoutAddress: Schema.optionalKey(Schema.String),
  /** HTTP status, of `Refused` only. */
  status: Schema.optionalKey(Schema.Int),
  /** The body that came with the status; it may be a JSON-RPC error. */
  body: Schema.optionalKey(Schema.String),
  /** `Retry-After` as it was sent (RFC 9110 §10.2.3). */
  retryAfter: Schema.optionalKey(Schema.String),
  /** The error behind it, for those who know what to do about it. */
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return this.problem
  }
}

/** Whether a request that failed can be sent again without being carried out twice: a sentence to add to the problem. */
export const describeFate = ({ kind }: UpstreamFailed): string => {
  if (kind === "NotSent") return ". The request was not sent"
  return kind === "Broken" || kind === "Unusable" ? ". The request may have been carried out" : ""
}

/** Describes a connection that broke: the error's own message and the system's code, never the URL or a header. */
export const describeFailure = (cause: unknown, kind: UpstreamFailed["kind"] = "Broken"): UpstreamFailed => {
  const message = cause instanceof Error ? cause.message : "the request failed"
  const inner = cause instanceof Error ? cause.cause : undefined
  const code = codeOf(inner) ?? codeOf(cause)
  return new UpstreamFailed({
    kind,
    problem: `The connection to the MCP server broke: ${message}${code === undefined ? "" : ` (${code})`}`
  })
}

const codeOf = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "code" in error ? String(error.code) : undefined
