import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { createOAuthClient, OAuthClientError } from "@secure-mcp/oauth-client"
import { mcpFetch } from "@secure-mcp/oauth-client/mcp"
import { logIn } from "./Login.ts"

const { MCP_URL = "", OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET, TOKEN_DIRECTORY } = process.env

/** A token must not travel in clear text, but to this machine. */
const isLoopback = /^http:\/\/(?:127\.0\.0\.1|localhost)[:/]/.test(MCP_URL)

const client = createOAuthClient({
  serverUrl: MCP_URL,
  enforce_https: !isLoopback,
  client_id: OAUTH_CLIENT_ID,
  client_secret: OAUTH_CLIENT_SECRET,
  // With a secret the agent has a client of its own. Without one a person logs in, and the login outlives the process.
  ...(OAUTH_CLIENT_SECRET === undefined
    ? { grant_type: "authorization_code", store: { type: "file", directory: TOKEN_DIRECTORY } }
    : {})
})

const connect = async (): Promise<Client> => {
  const agent = new Client({ name: "mcp-sdk-agent", version: "0.1.0" })
  await agent.connect(new StreamableHTTPClientTransport(new URL(MCP_URL), { fetch: mcpFetch(client) }))
  return agent
}

const connectOrLogIn = async (): Promise<Client> => {
  try {
    return await connect()
  } catch (error) {
    if (!(error instanceof OAuthClientError) || error.reason !== "AuthorizationRequired") throw error
    await logIn(client, (page) => process.stderr.write(`Log in at ${page}\n`))
    return connect()
  }
}

const agent = await connectOrLogIn()
const { tools } = await agent.listTools()
for (const { description = "", name } of tools) process.stdout.write(`${name}: ${description}\n`)
await agent.close()
await client.close()
