declare module "@modelcontextprotocol/server-everything/dist/server/index.js" {
  import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"

  /** A server that uses every feature of MCP 2025-11-25, and what frees its timers. */
  export const createServer: () => {
    readonly server: McpServer
    readonly cleanup: (sessionId?: string) => void
  }
}
