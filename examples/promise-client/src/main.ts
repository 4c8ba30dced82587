import { createOAuthClient, OAuthClientError } from "@secure-mcp/oauth-client"

const { MCP_URL = "", OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET, OAUTH_TOKEN_URL } = process.env

/** A token must not travel in clear text, but to this machine. */
const isLoopback = /^http:\/\/(?:127\.0\.0\.1|localhost)[:/]/.test(MCP_URL)

const main = async (): Promise<void> => {
  await using client = createOAuthClient({
    serverUrl: MCP_URL,
    // Left out, it is found through the MCP server.
    token_url: OAUTH_TOKEN_URL,
    client_id: OAUTH_CLIENT_ID,
    client_secret: OAUTH_CLIENT_SECRET,
    enforce_https: !isLoopback
  })
  client.on("TokenAcquired", ({ durationMs }) => {
    process.stdout.write(`a token, after ${Math.round(durationMs)} ms\n`)
  })

  for (const method of ["ping", "tools/list"]) {
    const response = await client.fetch(MCP_URL, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify({ jsonrpc: "2.0", id: method, method })
    })
    await response.text()
    process.stdout.write(`${method}: HTTP ${response.status}\n`)
  }

  const { token_acquisitions_total: tokens } = await client.metrics()
  process.stdout.write(`tokens: ${tokens}\n`)
}

try {
  await main()
} catch (error) {
  if (!(error instanceof OAuthClientError)) throw error
  process.stderr.write(`${error.reason}${error.retryable ? " (try again)" : ""}: ${error.message}\n`)
  process.exitCode = 1
}
