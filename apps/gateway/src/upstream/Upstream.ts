import type { IncomingMessage, ServerResponse } from "node:http"
import type { AccessTokenRequest, OAuthError } from "@secure-mcp/oauth-core"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { RequestBody } from "./RequestBody.ts"

/** Who sent a request to the gateway. */
export interface Caller {
  /** The person that the caller's API key stands for; absent where the gateway takes no keys. */
  readonly subject: string | undefined
}

/** One exchange with an MCP client, on Node's own objects. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly body: RequestBody
  readonly caller: Caller
}

/** An MCP server behind the gateway. */
export interface Upstream {
  /** Whose token an exchange with a caller needs; undefined for a server that wants none. */
  readonly tokenRequest: (caller: Caller) => AccessTokenRequest | undefined
  /** Answers one exchange; fails only while nothing of an answer has been written. */
  readonly handle: (exchange: Exchange) => Effect.Effect<void, OAuthError | UpstreamFailure>
}

/** The MCP server gave no answer. */
export class UpstreamFailure extends Schema.TaggedError<UpstreamFailure>()("UpstreamFailure", {
  serverName: Schema.String,
  reason: Schema.Literals(["UpstreamUnreachable", "RequestTooLarge"]),
  problem: Schema.String
}) {
  /** The HTTP status that says so. */
  get status(): number {
    return this.reason === "RequestTooLarge" ? 413 : 502
  }

  override get message(): string {
    return `The MCP server "${this.serverName}" gave no answer: ${this.problem}`
  }
}
