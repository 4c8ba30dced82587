import { mcpHeaders } from "./McpRequest.ts"

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "benchmark", version: "1.0.0" }
  }
})

const initialized = JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })

/** Begins a session with an MCP server over HTTP; gives its id. */
export const beginSession = async (url: string): Promise<string> => {
  const { "mcp-protocol-version": _, ...headers } = mcpHeaders
  const answer = await fetch(url, { method: "POST", headers, body: initialize })
  const text = await answer.text()
  const session = answer.headers.get("mcp-session-id")
  if (!answer.ok || session === null)
    throw new Error(`${url} began no session: HTTP ${answer.status} ${text}`)
  const confirmed = await fetch(url, {
    method: "POST",
    headers: { ...mcpHeaders, "mcp-session-id": session },
    body: initialized
  })
  await confirmed.body?.cancel()
  return session
}
