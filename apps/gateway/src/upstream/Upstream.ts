import type { IncomingMessage, ServerResponse } from "node:http"
import type { AccessTokenRequest, OAuthError } from "@secure-mcp/oauth-core"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { RequestBody } from "./RequestBody.ts"

/** Who sent a request to the gateway. */
export interface Caller {
  /** The person that the caller's API key belongs to; undefined if `gateway.api_keys` is empty. */
  readonly subject: string | undefined
}

/** One HTTP exchange with an MCP client, as Node's own objects. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly body: RequestBody
  readonly caller: Caller
}

/** An MCP server behind the gateway. */
export interface Upstream {
  /** The token request for a caller; undefined for a server without `oauth.enabled`. */
  readonly tokenRequest: (caller: Caller) => AccessTokenRequest | undefined
  /** Answers one exchange. Fails only if nothing of an answer has been written. */
  readonly handle: (exchange: Exchange) => Effect.Effect<void, OAuthError | UpstreamFailure>
}

/** The MCP server gave no answer, or cannot take the request. */
export class UpstreamFailure extends Schema.TaggedError<UpstreamFailure>()("UpstreamFailure", {
  serverName: Schema.String,
  reason: Schema.Literals(["UpstreamUnreachable", "UpstreamRedirected", "RequestTooLarge"]),
  problem: Schema.String
}) {
  /** The HTTP status for the client. */
  get status(): number {
    return this.reason === "RequestTooLarge" ? 413 : 502
  }

  override get message(): string {
    const what = this.reason === "UpstreamRedirected" ? "answered with a redirect" : "gave no answer"
    return `The MCP server "${this.serverName}" ${what}: ${this.problem}`
  }
}
