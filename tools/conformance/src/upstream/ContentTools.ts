import type { McpServer } from "@modelcontextprotocol/server"
import { answer, image, silence, text } from "./Content.ts"

/** Tools that answer at once, one for each kind of content. Names and contents are those the suite asks for. */
export const registerContentTools = (server: McpServer) => {
  server.registerTool("test_simple_text", { description: "Answers with a text" }, () =>
    answer(text("This is a simple text response for testing."))
  )
  server.registerTool("test_image_content", { description: "Answers with an image" }, () => answer(image()))
  server.registerTool("test_audio_content", { description: "Answers with a sound" }, () =>
    answer({ type: "audio", data: silence, mimeType: "audio/wav" })
  )
  server.registerTool("test_embedded_resource", { description: "Answers with a resource" }, () =>
    answer({
      type: "resource",
      resource: {
        uri: "test://embedded-resource",
        mimeType: "text/plain",
        text: "This is an embedded resource content."
      }
    })
  )
  server.registerTool("test_multiple_content_types", { description: "Answers with several kinds" }, () =>
    answer(text("Multiple content types test:"), image(), {
      type: "resource",
      resource: {
        uri: "test://mixed-content-resource",
        mimeType: "application/json",
        text: JSON.stringify({ test: "data", value: 123 })
      }
    })
  )
  server.registerTool("test_error_handling", { description: "Fails" }, () => ({
    ...answer(text("This tool intentionally returns an error for testing")),
    isError: true
  }))
}
