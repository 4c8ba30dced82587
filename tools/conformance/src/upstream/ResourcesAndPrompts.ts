import { completable, type McpServer, ResourceTemplate } from "@modelcontextprotocol/server"
import { z } from "zod"
import { image, pixel, text } from "./Content.ts"

/** The resources and prompts that the suite asks for. */
export const registerResourcesAndPrompts = (server: McpServer) => {
  registerTextResource(server, "static-text", "This is the content of the static text resource.")
  registerTextResource(server, "watched-resource", "Watched resource content")
  server.registerResource(
    "static-binary",
    "test://static-binary",
    { description: "An image", mimeType: "image/png" },
    ({ href }) => ({ contents: [{ uri: href, mimeType: "image/png", blob: pixel }] })
  )
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { description: "One resource for each id", mimeType: "application/json" },
    ({ href }, { id }) => ({
      contents: [
        {
          uri: href,
          mimeType: "application/json",
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` })
        }
      ]
    })
  )
  server.server.setRequestHandler("resources/subscribe", () => ({}))
  server.server.setRequestHandler("resources/unsubscribe", () => ({}))

  server.registerPrompt("test_simple_prompt", { description: "Without arguments" }, () => ({
    messages: [{ role: "user", content: text("This is a simple prompt for testing.") }]
  }))
  const argument = completable(z.string(), (value) => [`${value}1`, `${value}2`])
  server.registerPrompt(
    "test_prompt_with_arguments",
    { description: "With two arguments", argsSchema: z.object({ arg1: argument, arg2: argument }) },
    ({ arg1, arg2 }) => ({
      messages: [{ role: "user", content: text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`) }]
    })
  )
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "With a resource", argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri }) => ({
      messages: [
        {
          role: "user",
          content: {
            type: "resource",
            resource: {
              uri: resourceUri,
              mimeType: "text/plain",
              text: "Embedded resource content for testing."
            }
          }
        },
        { role: "user", content: text("Please process the embedded resource above.") }
      ]
    })
  )
  server.registerPrompt("test_prompt_with_image", { description: "With an image" }, () => ({
    messages: [
      { role: "user", content: image() },
      { role: "user", content: text("Please analyze the image above.") }
    ]
  }))
}

const registerTextResource = (server: McpServer, name: string, content: string) =>
  server.registerResource(
    name,
    `test://${name}`,
    { description: "A text", mimeType: "text/plain" },
    ({ href }) => ({ contents: [{ uri: href, mimeType: "text/plain", text: content }] })
  )
