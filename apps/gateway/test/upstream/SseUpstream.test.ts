import { assert, describe, it } from "@effect/vitest"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js"
import { Answer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { listen } from "../bridge/bridgeServer.ts"
import { startGateway, startTokenEndpoint } from "../http/RunningGateway.ts"

/** A server of the official SDK that speaks HTTP+SSE, asks for a token, and tells which one a call came with. */
const startSseServer = Effect.fnUntraced(function* (options: { readonly endpoint?: string } = {}) {
  const transports = new Map<string, SSEServerTransport>()
  const state = { valid: "Bearer token-1" }
  const requests: Array<{ readonly method: string | undefined; readonly authorization: string | undefined }> =
    []

  const begin = async (response: ServerResponse) => {
    const transport = new SSEServerTransport(options.endpoint ?? "/message", response)
    const server = new McpServer(
      { name: "older", version: "1" },
      { capabilities: { tools: { listChanged: true } } }
    )
    server.registerTool("who", {}, ({ requestInfo }) => {
      server.sendToolListChanged()
      return { content: [{ type: "text", text: String(requestInfo?.headers["authorization"]) }] }
    })
    transports.set(transport.sessionId, transport)
    await server.connect(transport)
  }
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { authorization } = request.headers
    requests.push({ method: request.method, authorization })
    if (authorization !== state.valid)
      return void response.writeHead(401, { "www-authenticate": 'Bearer error="invalid_token"' }).end()
    const id = new URL(request.url ?? "/", "http://older").searchParams.get("sessionId")
    if (id === null) return begin(response)
    return transports.get(id)?.handlePostMessage(request, response)
  }
  const url = yield* listen(createServer((request, response) => void answer(request, response)))
  return { url: `${url.origin}/sse`, state, requests, transports }
})

const connect = (url: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ name: "test", version: "1" })
      await client.connect(new StreamableHTTPClientTransport(new URL(url)))
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

const who = (client: Client) =>
  Effect.promise(async () => JSON.stringify((await client.callTool({ name: "who", arguments: {} })).content))

const initialize = (url: string) =>
  Effect.promise(async () => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "initialize",
        params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } }
      })
    })
    return { status: response.status, text: await response.text() }
  })

/** A server of HTTP+SSE that wants a token, behind `serve`. */
const startOlder = Effect.gen(function* () {
  const endpoint = yield* startTokenEndpoint
  const older = yield* startSseServer()
  const gateway = yield* startGateway({
    servers: [{ server_name: "older", config: { url: older.url, transport: "sse" }, oauth: endpoint.oauth }]
  })
  return { gateway, older }
})

describe("a server of HTTP+SSE behind serve", () => {
  it.live(
    "a server of HTTP+SSE is offered over Streamable HTTP, with a token in every request that is renewed when it is refused",
    () =>
      Effect.gen(function* () {
        const { gateway, older } = yield* startOlder
        const client = yield* connect(gateway.mcp("older"))
        let changes = 0
        client.setNotificationHandler("notifications/tools/list_changed", () => {
          changes += 1
        })
        assert.include(yield* who(client), "Bearer token-1")
        older.state.valid = "Bearer token-2"
        assert.include(yield* who(client), "Bearer token-2")
        assert.isAtLeast(changes, 1)
        assert.deepStrictEqual(
          older.requests.map(({ method }) => method),
          ["GET", "POST", "POST", "POST", "POST", "POST"]
        )
      })
  )

  it.live("a session ends with its stream, and the next one works", () =>
    Effect.gen(function* () {
      const { gateway, older } = yield* startOlder
      const first = yield* connect(gateway.mcp("older"))
      assert.include(yield* who(first), "Bearer token-1")
      for (const transport of older.transports.values()) yield* Effect.promise(() => transport.close())
      const refusal = yield* Effect.tryPromise(() => first.listTools()).pipe(Effect.flip)
      assert.isDefined(refusal)
      const second = yield* connect(gateway.mcp("older"))
      assert.include(yield* who(second), "Bearer token-1")
    })
  )

  it.live("an endpoint of another origin is refused and gets no token, and only the log names it", () =>
    Effect.gen(function* () {
      const endpoint = yield* startTokenEndpoint
      const older = yield* startSseServer()
      const other = yield* startSseServer()
      const lured = yield* listen(
        createServer((_, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(`event: endpoint\ndata: ${other.url}\n\n`)
        })
      )
      const gateway = yield* startGateway({
        servers: [
          { server_name: "lured", config: { url: lured.href, transport: "sse" }, oauth: endpoint.oauth },
          { server_name: "away", config: { url: `${older.url}/`, transport: "sse" } }
        ]
      })
      const { status, text } = yield* initialize(gateway.mcp("lured"))
      assert.strictEqual(status, 502)
      assert.include(text, "an endpoint of another origin")
      for (const { origin } of [new URL(other.url), lured]) {
        assert.notInclude(text, origin)
        assert.include(gateway.logs.join(), origin)
      }
      assert.lengthOf(other.requests, 0)
      assert.include((yield* initialize(gateway.mcp("away"))).text, "401")
    })
  )

  it.live("a token that cannot be had is an error of its own", () =>
    Effect.gen(function* () {
      const endpoint = yield* startTokenEndpoint
      yield* endpoint.always("/token", Answer.json({ error: "invalid_client" }, { status: 401 }))
      const older = yield* startSseServer()
      const gateway = yield* startGateway({
        servers: [
          { server_name: "older", config: { url: older.url, transport: "sse" }, oauth: endpoint.oauth }
        ]
      })
      const { status, text } = yield* initialize(gateway.mcp("older"))
      assert.strictEqual(status, 502)
      assert.include(text, "RequestRefused")
      assert.lengthOf(older.requests, 0)
    })
  )
})
