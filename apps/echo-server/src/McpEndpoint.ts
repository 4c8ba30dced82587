import {
  createMcpHandler,
  isLegacyRequest,
  type McpServer,
  WebStandardStreamableHTTPServerTransport
} from "@modelcontextprotocol/server"
import { randomUUID } from "node:crypto"

/**
 * Streamable HTTP for every revision: requests that carry the per-request envelope of 2026-07-28 are
 * served without state, all others with sessions, as in the revisions up to 2025-11-25.
 */
export const mcpEndpoint = (makeServer: () => McpServer) => {
  const stateless = createMcpHandler(makeServer, { legacy: "reject" })
  const sessions = mcpSessions(makeServer)
  return {
    handle: async (request: Request, body: unknown): Promise<Response> =>
      (await isLegacyRequest(request, body))
        ? sessions.handle(request, body)
        : stateless.fetch(request, { parsedBody: body }),
    close: async () => {
      await Promise.all([stateless.close(), sessions.close()])
    }
  }
}

const mcpSessions = (makeServer: () => McpServer) => {
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>()

  const open = async () => {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => {
        sessions.set(id, transport)
      },
      onsessionclosed: (id) => {
        sessions.delete(id)
      }
    })
    await makeServer().connect(transport)
    return transport
  }

  return {
    handle: async (request: Request, body: unknown): Promise<Response> => {
      const id = request.headers.get("mcp-session-id")
      if (id === null) return (await open()).handleRequest(request, { parsedBody: body })
      const transport = sessions.get(id)
      return transport === undefined
        ? sessionNotFound()
        : transport.handleRequest(request, { parsedBody: body })
    },
    close: async () => {
      await Promise.all([...sessions.values()].map((transport) => transport.close()))
    }
  }
}

const sessionNotFound = () =>
  Response.json(
    { jsonrpc: "2.0", error: { code: -32001, message: "Session not found" }, id: null },
    { status: 404 }
  )
