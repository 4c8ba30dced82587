/** The server behind the gateway and its rivals: it answers at once, and costs as little as it can. */
import { createServer } from "node:http"
import { announce } from "./Listening.ts"

/** An answer to `tools/call` of 100 bytes. */
const answer = Buffer.from(
  JSON.stringify({ jsonrpc: "2.0", id: 1, result: { content: [{ type: "text", text: "a".repeat(27) }] } })
)
const head = { "content-type": "application/json", "content-length": String(answer.length) }

const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
  request.resume()
  request.once("end", () => response.writeHead(200, head).end(answer))
})
announce(server)
