/** A server that answers each request with a stream of one event a second. */
import { createServer } from "node:http"
import { announce } from "./Listening.ts"

const event = `event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "a".repeat(20) } })}\n\n`

announce(
  createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
    request.resume()
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" })
    response.write(": open\n\n")
    const timer = setInterval(() => response.write(event), 1000)
    response.once("close", () => clearInterval(timer))
  })
)
