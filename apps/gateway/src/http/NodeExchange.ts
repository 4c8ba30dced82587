import { IncomingMessage, ServerResponse } from "node:http"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

/**
 * Node's own objects behind a request of Effect's server. Bodies that flow through them directly are not copied,
 * and a proxy made of them is as fast as one without Effect.
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

/** Tells Effect's server that Node's response was written already. */
export const alreadyWritten = HttpServerResponse.empty()
