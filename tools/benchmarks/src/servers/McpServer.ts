/** An MCP server over HTTP, without sessions, that answers every request at once with 100 bytes. */
import { createServer } from "node:http"
import { announce } from "./Listening.ts"

const text = "a".repeat(27)

const resultOf = (message: {
  readonly method?: string
  readonly params?: { readonly protocolVersion?: string }
}) =>
  message.method === "initialize"
    ? {
        protocolVersion: message.params?.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: "benchmark", version: "1.0.0" }
      }
    : message.method === "tools/call"
      ? { content: [{ type: "text", text }] }
      : {}

announce(
  createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
    if (request.method !== "POST") return response.writeHead(405, { allow: "POST" }).end()
    let body = ""
    request.setEncoding("utf8").on("data", (piece: string) => (body += piece))
    return request.once("end", () => {
      const message = JSON.parse(body)
      if (message.id === undefined) return response.writeHead(202).end()
      const answer = JSON.stringify({ jsonrpc: "2.0", id: message.id, result: resultOf(message) })
      return response
        .writeHead(200, {
          "content-type": "application/json",
          "content-length": String(Buffer.byteLength(answer))
        })
        .end(answer)
    })
  })
)
