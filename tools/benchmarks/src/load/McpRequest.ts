/** A `tools/call` of 100 bytes. */
export const toolCall = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "a-tool", arguments: { a: "a".repeat(6) } }
})

/** Headers of every MCP request over HTTP. */
export const mcpHeaders = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  "mcp-protocol-version": "2025-11-25"
}
