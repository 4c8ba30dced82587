/** The least that a proxy in Node can be: Node's HTTP server, undici's `stream`, and one header that is set. */
import { createServer } from "node:http"
import { Pool } from "undici"
import { announce } from "../servers/Listening.ts"

const [target = ""] = process.argv.slice(2)
const pool = new Pool(target, { connections: 4096, pipelining: 1 })

const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
  pool
    .stream(
      {
        path: request.url ?? "/",
        method: request.method === "GET" ? "GET" : "POST",
        headers: { ...withoutConnection(request.headers), authorization: "Bearer a-token" },
        body: request.method === "GET" ? null : request
      },
      ({ headers, statusCode }) => {
        response.writeHead(statusCode, withoutConnection(headers))
        return response
      }
    )
    .catch((error: unknown) => response.destroy(error instanceof Error ? error : new Error(String(error))))
})

const withoutConnection = <Headers extends Record<string, unknown>>(headers: Headers) => {
  const { connection: _, "transfer-encoding": __, "keep-alive": ___, ...others } = headers
  return others
}

announce(server)
