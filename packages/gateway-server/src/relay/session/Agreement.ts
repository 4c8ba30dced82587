import * as Deferred from "effect/Deferred"
import type { FetchResponse } from "../../fetch/Fetch.ts"
import type { JsonObject, JsonRpcMessage } from "../../jsonrpc/JsonRpc.ts"

/** What `initialize` agreed on with a server that speaks Streamable HTTP. */
export interface Agreement {
  /** Both are undefined before `initialize`, and in the stateless revision. */
  readonly sessionId: string | undefined
  readonly protocolVersion: string | undefined
  /** The client's own message, to be sent again if the server forgets the session. */
  readonly initialize: JsonRpcMessage | undefined
  /** Done when another session has taken the place of this one. */
  readonly replaced: Deferred.Deferred<void>
}

/** Before `initialize`. */
export const makeNoAgreement = (): Agreement => ({
  sessionId: undefined,
  protocolVersion: undefined,
  initialize: undefined,
  replaced: Deferred.makeUnsafe()
})

/** What a result of `initialize` and the response that it came in agree on. */
export const makeAgreement = (
  initialize: JsonRpcMessage,
  { protocolVersion }: JsonObject,
  response: FetchResponse
): Agreement => ({
  sessionId: response.headers.get("mcp-session-id") ?? undefined,
  protocolVersion: typeof protocolVersion === "string" ? protocolVersion : undefined,
  initialize,
  replaced: Deferred.makeUnsafe()
})

/** The headers of every later request (MCP 2025-11-25, "Session Management" and "Protocol Version Header"). */
export const sessionHeaders = ({ protocolVersion, sessionId }: Agreement): Record<string, string> => ({
  ...(sessionId === undefined ? {} : { "mcp-session-id": sessionId }),
  ...(protocolVersion === undefined ? {} : { "mcp-protocol-version": protocolVersion })
})
