import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { createServer } from "@modelcontextprotocol/server-everything/dist/server/index.js"
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http"
import { listen } from "../bridge/bridgeServer.ts"

/** server-everything on a free port: Streamable HTTP at `/mcp`, HTTP+SSE at `/sse`. */
export const serveEverything = Effect.gen(function* () {
  const streamable = new Map<string, StreamableHTTPServerTransport>()
  const sse = new Map<string, SSEServerTransport>()
  const cleanups: Array<() => void> = []

  const make = () => {
    const { cleanup, server } = createServer()
    cleanups.push(cleanup)
    return server
  }
  const beginStreamable = async () => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void streamable.set(id, transport)
    })
    await make().connect(transport)
    return transport
  }
  const beginSse = async (response: ServerResponse) => {
    const transport = new SSEServerTransport("/message", response)
    sse.set(transport.sessionId, transport)
    await make().connect(transport)
  }
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? "/", "http://everything")
    if (url.pathname === "/sse") return beginSse(response)
    if (url.pathname === "/message")
      return sse.get(url.searchParams.get("sessionId") ?? "")?.handlePostMessage(request, response)
    const id = request.headers["mcp-session-id"]?.toString()
    const transport = id === undefined ? await beginStreamable() : streamable.get(id)
    if (transport === undefined) return void response.writeHead(404).end()
    return transport.handleRequest(request, response)
  }

  yield* Effect.addFinalizer(() => Effect.sync(() => cleanups.forEach((cleanup) => cleanup())))
  const { origin } = yield* listen(
    createHttpServer((request, response) => void answer(request, response).catch(() => response.destroy()))
  )
  return { http: `${origin}/mcp`, sse: `${origin}/sse` }
})
