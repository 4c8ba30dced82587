import type * as Effect from "effect/Effect"
import { UpstreamFailed } from "../../fetch/Fetch.ts"
import { type IdText, type JsonObject, type JsonRpcMessage, objectAt } from "../../jsonrpc/JsonRpc.ts"

/** The relay's end of a session with an MCP server, whatever the transport. */
export interface ServerSession {
  /**
   * Sends a message. For a request it completes when everything that answers it has been delivered. Interrupting it
   * ends the waiting; over Streamable HTTP it also closes the connection, which cancels a request of the stateless
   * revision.
   */
  readonly post: (message: JsonRpcMessage) => Effect.Effect<void, UpstreamFailed>
  /**
   * Sends a request without a fiber, if nothing has to be waited for before it can be sent; undefined where that cannot
   * be.
   *
   * @param onEnd called once, unless the request is aborted: with the answer, which was not delivered, or with what is left
   * to do, as `post` does it
   * @returns what closes the connection; undefined if nothing was sent: call `post`
   */
  readonly postNow?: (
    request: JsonRpcMessage,
    id: IdText,
    onEnd: (end: JsonRpcMessage | Effect.Effect<void, UpstreamFailed>) => void
  ) => { readonly abort: () => void } | undefined
  /** Delivers what the server sends without being asked, for as long as it offers a stream for that. */
  readonly listen: Effect.Effect<void>
  /** Ends the session, if there is one, within a second. */
  readonly end: Effect.Effect<void>
}

/** The failure of a request of the relay's own that the server has answered with an error. */
export const refusalOf = (answer: JsonObject): UpstreamFailed => {
  const { message } = objectAt(answer, "error")
  return new UpstreamFailed({
    kind: "Unusable",
    problem: typeof message === "string" ? message : "the request was refused"
  })
}

/** How many subscriptions of the client are set up again in another session, the latest. */
export const maxSubscriptions = 1000

/** Gets every message of the server; those of one stream in order. */
export type Deliver = (message: JsonRpcMessage) => Effect.Effect<void>
