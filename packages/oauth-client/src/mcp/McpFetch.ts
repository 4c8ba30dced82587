import type { OAuthClient } from "../OAuthClient.ts"

/** The `fetch` that transports of the MCP TypeScript SDK take, versions 1 and 2, and the MCP client of the AI SDK. */
export type McpFetch = (url: string | URL, init?: RequestInit) => Promise<Response>

/**
 * The `fetch` of a client for a transport of the MCP TypeScript SDK: each of its requests carries a token, and is repeated
 * with another one after a refusal. `client.fetch` itself does the same.
 *
 * @example
 * ```ts
 * import { createOAuthClient } from "@secure-mcp/oauth-client"
 * import { mcpFetch } from "@secure-mcp/oauth-client/mcp"
 * import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
 *
 * const serverUrl = new URL("https://mcp.example.com/mcp")
 * const client = createOAuthClient({ serverUrl, client_id: "my-agent", client_secret: process.env["CLIENT_SECRET"] })
 *
 * export const agent = new Client({ name: "my-agent", version: "1.0.0" })
 * await agent.connect(new StreamableHTTPClientTransport(serverUrl, { fetch: mcpFetch(client) }))
 * ```
 */
export const mcpFetch =
  (client: Pick<OAuthClient, "fetch">): McpFetch =>
  (url, init) =>
    client.fetch(url, init)
