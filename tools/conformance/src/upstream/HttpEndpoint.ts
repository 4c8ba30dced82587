import { localhostHostValidation, localhostOriginValidation, toNodeHandler } from "@modelcontextprotocol/node"
import {
  createMcpHandler,
  isLegacyRequest,
  type McpServer,
  WebStandardStreamableHTTPServerTransport
} from "@modelcontextprotocol/server"
import { randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type Server } from "node:http"
import { makeStateCodec } from "./InputRequiredTools.ts"
import { makeTestServer } from "./TestServer.ts"

/**
 * The test server on Streamable HTTP of every revision, at `/mcp`. At `/protected/mcp` the same one wants a token, and
 * `/token` gives one to every client.
 */
export const makeHttpServer = (): Server => {
  const codec = makeStateCodec()
  const stateless = createMcpHandler((): McpServer => makeTestServer(codec, stateless.notify), {
    legacy: "reject"
  })
  const sessions = makeSessions(() => makeTestServer(codec))
  const tokens = new Set<string>()

  const handle = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url)
    if (pathname === "/token") {
      const token = randomUUID()
      tokens.add(token)
      return Response.json({ access_token: token, token_type: "Bearer", expires_in: 3600 })
    }
    const bearer = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? ""
    if (pathname === "/protected/mcp" && !tokens.has(bearer))
      return new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } })
    const body: unknown =
      request.method === "POST"
        ? await request
            .clone()
            .json()
            .catch(() => undefined)
        : undefined
    return (await isLegacyRequest(request, body))
      ? sessions(request, body)
      : stateless.fetch(request, { parsedBody: body })
  }

  const serve = toNodeHandler({ fetch: handle })
  const isLocalHost = localhostHostValidation()
  const isLocalOrigin = localhostOriginValidation()
  return createServer((request, response) => {
    if (isReceived(request) && isLocalHost(request, response) && isLocalOrigin(request, response))
      void serve(request, response)
  })
}

// Node sets both on every request a server receives; its types also cover responses, which have neither.
const isReceived = (request: IncomingMessage): request is IncomingMessage & { method: string; url: string } =>
  request.method !== undefined && request.url !== undefined

/** Requests of revisions with sessions, each session with a server of its own. */
const makeSessions = (makeServer: () => McpServer) => {
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>()
  const open = async () => {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id)
    })
    await makeServer().connect(transport)
    return transport
  }
  return async (request: Request, body: unknown): Promise<Response> => {
    const id = request.headers.get("mcp-session-id")
    const transport = id === null ? await open() : sessions.get(id)
    return (
      transport?.handleRequest(request, { parsedBody: body }) ??
      Response.json(
        { jsonrpc: "2.0", error: { code: -32001, message: "Session not found" }, id: null },
        { status: 404 }
      )
    )
  }
}
