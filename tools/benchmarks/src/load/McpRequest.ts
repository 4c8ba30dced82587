/** A `tools/call` of so many bytes, at least 94. */
export const toolCall = (bytes = 100): string =>
  JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "a-tool", arguments: { a: "a".repeat(Math.max(0, bytes - 94)) } }
  })

/** Headers of every MCP request over HTTP. */
export const mcpHeaders = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  "mcp-protocol-version": "2025-11-25"
}
