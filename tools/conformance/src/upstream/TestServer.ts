import { McpServer } from "@modelcontextprotocol/server"
import { registerContentTools } from "./ContentTools.ts"
import { registerConversationTools } from "./ConversationTools.ts"
import { registerInputRequiredTools, type StateCodec } from "./InputRequiredTools.ts"
import { registerResourcesAndPrompts } from "./ResourcesAndPrompts.ts"
import { type ListNotifier, registerStreamTools } from "./StreamTools.ts"

/** Milliseconds for which lists and resources may be cached. */
const ttlMs = 60_000

/**
 * The MCP server that the suite's server scenarios want, on the official SDK.
 *
 * @param notifier where changes of lists are sent; by default to the connection of this server
 */
export const makeTestServer = (codec: StateCodec, notifier?: ListNotifier): McpServer => {
  const cacheHint = { ttlMs, cacheScope: "private" as const }
  const server = new McpServer(
    { name: "conformance-test-server", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        logging: {},
        completions: {}
      },
      cacheHints: {
        "tools/list": cacheHint,
        "prompts/list": cacheHint,
        "resources/list": cacheHint,
        "resources/templates/list": cacheHint,
        "resources/read": cacheHint
      },
      requestState: { verify: codec.verify }
    }
  )
  registerContentTools(server)
  registerConversationTools(server)
  registerInputRequiredTools(server, codec)
  registerResourcesAndPrompts(server)
  const ownConnection = {
    toolsChanged: () => server.sendToolListChanged(),
    promptsChanged: () => server.sendPromptListChanged()
  }
  registerStreamTools(server, () => notifier ?? ownConnection)
  return server
}
