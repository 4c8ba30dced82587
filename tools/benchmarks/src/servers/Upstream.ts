/** The server behind the gateway and its rivals: it answers at once, and costs as little as it can. */
import { createServer } from "node:http"
import { announce } from "./Listening.ts"

const [bytes = "100"] = process.argv.slice(2)

/** An answer to `tools/call` of so many bytes, at least 73. */
const answer = Buffer.from(
  JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    result: { content: [{ type: "text", text: "a".repeat(Math.max(0, Number(bytes) - 73)) }] }
  })
)
const head = { "content-type": "application/json", "content-length": String(answer.length) }

const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
  request.resume()
  // A contender that forgets the token would be quick for nothing.
  const hasToken = request.headers.authorization?.startsWith("Bearer ") === true
  request.once("end", () =>
    hasToken
      ? response.writeHead(200, head).end(answer)
      : response.writeHead(401, { "content-length": "0" }).end()
  )
})
announce(server)
