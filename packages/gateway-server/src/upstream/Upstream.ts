import type { IncomingMessage, ServerResponse } from "node:http"
import type { AccessTokenRequest, OAuthError } from "@secure-mcp/oauth-core"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Caller } from "../callers/Person.ts"
import type { HeaderPairs } from "./ForwardedHeaders.ts"
import type { RequestBody } from "./RequestBody.ts"

export type { Caller }

/** One HTTP exchange with an MCP client, as Node's own objects. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly body: RequestBody
  readonly caller: Caller
  /** What the gateway says of itself in every answer, whoever writes it. */
  readonly ownHeaders: Readonly<HeaderPairs>
}

/** An MCP server behind the gateway. */
export interface Upstream {
  /** The token request for a caller; undefined for a server without `oauth.enabled`. */
  readonly tokenRequest: (caller: Caller) => AccessTokenRequest | undefined
  /** Answers one exchange. Fails only if nothing of an answer has been written. */
  readonly handle: (exchange: Exchange) => Effect.Effect<void, OAuthError | UpstreamFailure>
  /**
   * Answers one exchange without a fiber, if nothing has to be waited for before it can be sent. Undefined for a server
   * that cannot.
   *
   * @param onEnd called once: with undefined when the exchange is answered, else with what is left to do
   * @returns false if nothing was sent: call `handle`
   */
  readonly handleNow?: (exchange: Exchange, onEnd: (rest: Rest | undefined) => void) => boolean
}

/** What is left to do for an exchange that was begun without a fiber. Nothing of an answer has been written. */
export type Rest = Effect.Effect<void, OAuthError | UpstreamFailure>

/** The MCP server gave no answer, or the request is not passed on to it. */
export class UpstreamFailure extends Schema.TaggedError<UpstreamFailure>()("UpstreamFailure", {
  serverName: Schema.String,
  reason: Schema.Literals([
    "UpstreamUnreachable",
    "UpstreamRedirected",
    "RequestTooLarge",
    "RequestEncoded",
    "UnknownSession",
    "SessionConflict",
    "TooManyRequests",
    "StoreUnavailable"
  ]),
  problem: Schema.String,
  /** When the client may try again. */
  retryAfterSeconds: Schema.optionalKey(Schema.Finite)
}) {
  /** The HTTP status for the client. */
  get status(): number {
    return answers[this.reason].status
  }

  override get message(): string {
    return `The MCP server "${this.serverName}" ${answers[this.reason].what}: ${this.problem}`
  }
}

const answers = {
  UpstreamUnreachable: { status: 502, what: "gave no answer" },
  UpstreamRedirected: { status: 502, what: "answered with a redirect" },
  RequestTooLarge: { status: 413, what: "gave no answer" },
  RequestEncoded: { status: 415, what: "was not asked" },
  // What the MCP specification says of a session that has ended: its client begins a new one.
  UnknownSession: { status: 404, what: "was not asked" },
  SessionConflict: { status: 502, what: "began a session that it has already" },
  TooManyRequests: { status: 429, what: "was not asked" },
  StoreUnavailable: { status: 503, what: "was not asked" }
} as const
