import type { ElicitRequestFormParams, McpServer, ServerContext } from "@modelcontextprotocol/server"
import { setTimeout } from "node:timers/promises"
import { z } from "zod"
import { answer, text } from "./Content.ts"

/** Milliseconds between two notifications of a tool. */
const pause = 20

/** Otherwise the SDK sends a request on the stream of the session, where it is lost if the client has not opened that yet. */
const onStreamOf = ({ id }: ServerContext["mcpReq"]) => ({ relatedRequestId: id })

/** Tools that send notifications or requests before they answer, in revisions with sessions. */
export const registerConversationTools = (server: McpServer) => {
  server.registerTool("test_tool_with_logging", { description: "Logs three lines" }, async ({ mcpReq }) => {
    for (const line of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await mcpReq.log("info", line)
      await setTimeout(pause)
    }
    return answer(text("Logged three lines"))
  })
  server.registerTool("test_tool_with_progress", { description: "Reports progress" }, async ({ mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken
    if (progressToken !== undefined)
      for (const progress of [0, 50, 100]) {
        const params = { progressToken, progress, total: 100, message: `${progress} of 100` }
        await mcpReq.notify({ method: "notifications/progress", params })
        await setTimeout(pause)
      }
    return answer(text(String(progressToken)))
  })
  server.registerTool(
    "test_sampling",
    { description: "Asks the client's model", inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, { mcpReq }) => {
      const messages = [{ role: "user" as const, content: text(prompt) }]
      const { content } = await mcpReq.requestSampling({ messages, maxTokens: 100 }, onStreamOf(mcpReq))
      return answer(text(`LLM response: ${JSON.stringify(content)}`))
    }
  )
  const elicit = (
    name: string,
    description: string,
    requestedSchema: ElicitRequestFormParams["requestedSchema"]
  ) =>
    server.registerTool(name, { description }, async ({ mcpReq }) => {
      const { action, content } = await mcpReq.elicitInput(
        { message: description, requestedSchema },
        onStreamOf(mcpReq)
      )
      return answer(text(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`))
    })
  server.registerTool(
    "test_elicitation",
    { description: "Asks the person", inputSchema: z.object({ message: z.string() }) },
    async ({ message }, { mcpReq }) => {
      const { action, content } = await mcpReq.elicitInput(
        {
          message,
          requestedSchema: {
            type: "object",
            properties: { response: { type: "string", description: "What the person says" } },
            required: ["response"]
          }
        },
        onStreamOf(mcpReq)
      )
      return answer(text(`User response: action=${action}, content=${JSON.stringify(content ?? {})}`))
    }
  )
  elicit("test_elicitation_sep1034_defaults", "Asks with a default for each type", {
    type: "object",
    properties: {
      name: { type: "string", default: "John Doe" },
      age: { type: "integer", default: 30 },
      score: { type: "number", default: 95.5 },
      status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
      verified: { type: "boolean", default: true }
    }
  })
  elicit("test_elicitation_sep1330_enums", "Asks with every form of choice", {
    type: "object",
    properties: {
      untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
      titledSingle: { type: "string", oneOf: titled("Option") },
      legacyEnum: {
        type: "string",
        enum: ["opt1", "opt2", "opt3"],
        enumNames: ["Option One", "Option Two", "Option Three"]
      },
      untitledMulti: {
        type: "array",
        minItems: 1,
        maxItems: 3,
        items: { type: "string", enum: ["option1", "option2", "option3"] }
      },
      titledMulti: { type: "array", minItems: 1, maxItems: 3, items: { anyOf: titled("Choice") } }
    }
  })
}

const titled = (noun: string) =>
  ["First", "Second", "Third"].map((ordinal, index) => ({
    const: `value${index + 1}`,
    title: `${ordinal} ${noun}`
  }))
