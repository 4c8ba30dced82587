// The client with Promises, and the MCP SDK in ES modules.
import assert from "node:assert/strict"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { createOAuthClient, OAuthClientError } from "@secure-mcp/oauth-client"
import { mcpFetch } from "@secure-mcp/oauth-client/mcp"
import { ProviderBehaviour, startAuthorizationServer } from "@secure-mcp/testing"

const { close, endpoint } = await startAuthorizationServer({
  "/token": ProviderBehaviour.rotatesRefreshTokens
})
const client = createOAuthClient({
  serverUrl: "http://127.0.0.1/mcp",
  token_url: endpoint("/token"),
  client_id: "me",
  client_secret: "s",
  enforce_https: false
})
assert.equal(await client.getAccessToken(), "access-1-1")
const transport = new StreamableHTTPClientTransport(new URL("http://127.0.0.1/mcp"), {
  fetch: mcpFetch(client)
})
assert.equal(typeof transport.start, "function")
await client.close()
await assert.rejects(client.getAccessToken(), OAuthClientError)
await close()
