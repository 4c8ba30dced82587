// The client with Promises, and the official MCP SDK in ES modules.
import assert from "node:assert/strict"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { createOAuthClient, OAuthClientError } from "@secure-mcp/oauth-client"
import { mcpFetch } from "@secure-mcp/oauth-client/mcp"

const { MCP_URL = "", TOKEN_URL } = process.env
const client = createOAuthClient({
  serverUrl: MCP_URL,
  token_url: TOKEN_URL,
  client_id: "me",
  client_secret: "s",
  enforce_https: false
})
const agent = new Client({ name: "stranger", version: "1.0.0" })
await agent.connect(new StreamableHTTPClientTransport(new URL(MCP_URL), { fetch: mcpFetch(client) }))
const { content } = await agent.callTool({ name: "echo_auth_header", arguments: {} })
const token = await client.getAccessToken()
assert.deepEqual(content, [{ type: "text", text: `Received token: ${token}...` }])
assert.notEqual(await client.getAccessToken({ forceRefresh: true }), token)
await agent.close()
await client.close()
await assert.rejects(client.getAccessToken(), OAuthClientError)
// Deno 2.9 can lose the end of a stream after it has freed memory, and would wait for it: the SDK's client alone does so, too.
if ("Deno" in globalThis) process.exit()
