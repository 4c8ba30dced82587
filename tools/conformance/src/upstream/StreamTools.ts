import type { McpServer } from "@modelcontextprotocol/server"
import { answer, text } from "./Content.ts"

/** Notifies every listener that a list has changed. */
export interface ListNotifier {
  readonly toolsChanged: () => void
  readonly promptsChanged: () => void
}

/** Tools by which the suite looks at the streams of 2026-07-28. */
export const registerStreamTools = (server: McpServer, notifier: () => ListNotifier) => {
  server.registerTool(
    "test_streaming_elicitation",
    { description: "Reports progress" },
    async ({ mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken
      if (progressToken !== undefined)
        await mcpReq.notify({
          method: "notifications/progress",
          params: { progressToken, progress: 50, total: 100 }
        })
      return answer(text("Streaming complete"))
    }
  )
  server.registerTool("test_logging_tool", { description: "Logs if asked to" }, async ({ mcpReq }) => {
    await mcpReq.log("info", "A line of the log")
    return answer(text("Logging evaluated"))
  })
  server.registerTool("test_trigger_tool_change", { description: "Says that the tools changed" }, () => {
    notifier().toolsChanged()
    return answer(text("Said so"))
  })
  server.registerTool("test_trigger_prompt_change", { description: "Says that the prompts changed" }, () => {
    notifier().promptsChanged()
    return answer(text("Said so"))
  })
}
