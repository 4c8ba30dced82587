import { IncomingMessage, ServerResponse } from "node:http"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

/**
 * Node's own objects of a request to Effect's server. Streaming bodies through them costs no copy, so the proxy is as fast
 * as one without Effect.
 */
export const nodeExchange = (
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<{ readonly request: IncomingMessage; readonly response: ServerResponse }> => {
  const incoming = NodeHttpServerRequest.toIncomingMessage(request)
  const outgoing = NodeHttpServerRequest.toServerResponse(request)
  return incoming instanceof IncomingMessage && outgoing instanceof ServerResponse
    ? Effect.succeed({ request: incoming, response: outgoing })
    : Effect.die("the gateway's routes run on Node's HTTP/1.1 server")
}

/** The path of what is asked, without its query. */
export const pathOf = ({ url = "" }: IncomingMessage): string => {
  const query = url.indexOf("?")
  return query === -1 ? url : url.slice(0, query)
}

/** The result of a route that has written Node's response itself. */
export const alreadyWritten = HttpServerResponse.empty()
