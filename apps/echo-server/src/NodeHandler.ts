import {
  localhostHostValidation,
  localhostOriginValidation,
  type NodeServerResponseLike,
  toNodeHandler
} from "@modelcontextprotocol/node"
import type * as Http from "node:http"

/**
 * Puts a web-standard handler at `/mcp` of a Node server that listens on `host`. On loopback, requests
 * with a foreign `Host` or `Origin` are refused with 403, which prevents DNS rebinding.
 */
export const nodeHandler = (
  handle: (request: Request) => Promise<Response>,
  host: string
): Http.RequestListener => {
  const isLocalHost = localhostHostValidation()
  const isLocalOrigin = localhostOriginValidation()
  const serve = toNodeHandler({ fetch: handle })
  return (request, response) => {
    if (isLoopback(host) && !(isLocalHost(request, response) && isLocalOrigin(request, response))) return
    if (!isReceived(request) || !/^\/mcp(\?|$)/.test(request.url)) {
      response.writeHead(404).end()
      return
    }
    void serve(request, flushingStreams(response))
  }
}

const isLoopback = (host: string) => host === "localhost" || host === "::1" || host.startsWith("127.")

// Node sets both on every request a server receives; its types also cover responses, which have neither.
const isReceived = (
  request: Http.IncomingMessage
): request is Http.IncomingMessage & { method: string; url: string } =>
  request.method !== undefined && request.url !== undefined

// Node delays the headers until the first byte of the body, and an event stream may have none for a long time.
const flushingStreams = (response: Http.ServerResponse): NodeServerResponseLike => ({
  writeHead: (status, headers) => {
    response.writeHead(status, headers)
    if (headers?.["content-type"] === "text/event-stream") response.flushHeaders()
  },
  write: (chunk) => response.write(chunk),
  end: (chunk) => response.end(chunk),
  on: (event, listener) => response.on(event, listener),
  get destroyed() {
    return response.destroyed
  }
})
