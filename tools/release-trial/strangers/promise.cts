// The client with Promises, and the official MCP SDK, in CommonJS: ES modules through `require`.
const assert: typeof import("node:assert/strict") = require("node:assert/strict")
const sdk: typeof import("@modelcontextprotocol/client") = require("@modelcontextprotocol/client")
const oauth: typeof import("@secure-mcp/oauth-client") = require("@secure-mcp/oauth-client")
const mcp: typeof import("@secure-mcp/oauth-client/mcp") = require("@secure-mcp/oauth-client/mcp")

const { MCP_URL = "", TOKEN_URL } = process.env

const main = async () => {
  const client = oauth.createOAuthClient({
    serverUrl: MCP_URL,
    token_url: TOKEN_URL,
    client_id: "me",
    client_secret: "s",
    enforce_https: false
  })
  const agent = new sdk.Client({ name: "stranger", version: "1.0.0" })
  const fetch = mcp.mcpFetch(client)
  await agent.connect(new sdk.StreamableHTTPClientTransport(new URL(MCP_URL), { fetch }))
  const { content } = await agent.callTool({ name: "echo_auth_header", arguments: {} })
  const token = await client.getAccessToken()
  assert.deepEqual(content, [{ type: "text", text: `Received token: ${token}...` }])
  await agent.close()
  await client.close()
  await assert.rejects(client.getAccessToken(), oauth.OAuthClientError)
  // Deno 2.9 can lose the end of a stream after it has freed memory, and would wait for it: the SDK's client alone does so, too.
  if ("Deno" in globalThis) process.exit()
}
void main()
