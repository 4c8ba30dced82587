import {
  acceptedContent,
  type CallToolResult,
  createRequestStateCodec,
  inputRequired,
  type InputRequiredResult,
  type McpServer,
  type ServerContext
} from "@modelcontextprotocol/server"
import { randomBytes } from "node:crypto"
import { z } from "zod"
import { answer, text } from "./Content.ts"

/** The state of a tool between two rounds; the client returns it and cannot change it. */
interface RequestState {
  readonly round: number
}

/** Seals the state of requests that are answered with questions; one for all servers of a process. */
export const makeStateCodec = () => createRequestStateCodec<RequestState>({ key: randomBytes(32) })
export type StateCodec = ReturnType<typeof makeStateCodec>

/** What each request of 2026-07-28 says about its client, as far as a tool here looks at it. */
const Envelope = z.object({
  "io.modelcontextprotocol/clientCapabilities": z.record(z.string(), z.unknown())
})

type Answer = CallToolResult | InputRequiredResult

const form = (message: string, name: string, type: "string" | "boolean" = "string") =>
  inputRequired.elicit({
    message,
    requestedSchema: {
      type: "object",
      properties: { [name]: type === "string" ? { type: "string" } : { type: "boolean" } },
      required: [name]
    }
  })

const sample = (prompt: string) =>
  inputRequired.createMessage({ messages: [{ role: "user", content: text(prompt) }], maxTokens: 100 })

/** Tools and a prompt that answer with questions (2026-07-28, Multi Round-Trip Requests). */
export const registerInputRequiredTools = (server: McpServer, codec: StateCodec) => {
  const tool = (
    name: string,
    description: string,
    call: (context: ServerContext) => Answer | Promise<Answer>
  ) => server.registerTool(name, { description }, (context) => call(context))
  const responses = ({ mcpReq }: ServerContext) => mcpReq.inputResponses ?? {}

  tool("test_input_required_result_elicitation", "Asks for a name", (context) => {
    const name = acceptedContent(responses(context), "user_name")?.["name"]
    return typeof name === "string"
      ? answer(text(`Hello, ${name}!`))
      : inputRequired({ inputRequests: { user_name: form("What is your name?", "name") } })
  })
  tool("test_input_required_result_sampling", "Asks the model", (context) =>
    "capital" in responses(context)
      ? answer(text(JSON.stringify(responses(context)["capital"])))
      : inputRequired({ inputRequests: { capital: sample("What is the capital of France?") } })
  )
  tool("test_input_required_result_list_roots", "Asks for the roots", (context) =>
    "client_roots" in responses(context)
      ? answer(text(JSON.stringify(responses(context)["client_roots"])))
      : inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } })
  )
  const confirmWithState = async (context: ServerContext): Promise<Answer> =>
    context.mcpReq.requestState<RequestState>() !== undefined && "confirm" in responses(context)
      ? answer(text("state-ok: confirmed"))
      : inputRequired({
          inputRequests: { confirm: form("Please confirm", "ok", "boolean") },
          requestState: await codec.mint({ round: 1 })
        })
  tool("test_input_required_result_request_state", "Remembers its state", confirmWithState)
  tool("test_input_required_result_tampered_state", "Notices a changed state", confirmWithState)
  tool("test_input_required_result_multiple_inputs", "Asks three things at once", async (context) =>
    ["user_name", "greeting", "client_roots"].every((key) => key in responses(context))
      ? answer(text("All three were answered"))
      : inputRequired({
          inputRequests: {
            user_name: form("What is your name?", "name"),
            greeting: sample("Generate a greeting"),
            client_roots: inputRequired.listRoots()
          },
          requestState: await codec.mint({ round: 1 })
        })
  )
  tool("test_input_required_result_multi_round", "Asks twice", async (context) => {
    const round = context.mcpReq.requestState<RequestState>()?.round ?? 0
    if (round === 2 && "step2" in responses(context)) return answer(text("Both were answered"))
    return round === 1 && "step1" in responses(context)
      ? inputRequired({
          inputRequests: { step2: form("Step 2: What is your favorite color?", "color") },
          requestState: await codec.mint({ round: 2 })
        })
      : inputRequired({
          inputRequests: { step1: form("Step 1: What is your name?", "name") },
          requestState: await codec.mint({ round: 1 })
        })
  })
  tool("test_input_required_result_capabilities", "Asks only what the client can answer", (context) => {
    if (Object.keys(responses(context)).length > 0) return answer(text("Answered"))
    const can = Envelope.parse(context.mcpReq.envelope)["io.modelcontextprotocol/clientCapabilities"]
    return inputRequired({
      inputRequests: {
        ...("elicitation" in can ? { elicited: form("Anything?", "value") } : {}),
        ...("sampling" in can ? { sampled: sample("Anything?") } : {})
      }
    })
  })
  tool("test_missing_capability", "Needs a client that can sample", (context) =>
    "sampled" in responses(context)
      ? answer(text("Answered"))
      : inputRequired({ inputRequests: { sampled: sample("Anything?") } })
  )
  server.registerPrompt(
    "test_input_required_result_prompt",
    { description: "A prompt that asks for its context" },
    ({ mcpReq }) => {
      const context = acceptedContent(mcpReq.inputResponses, "user_context")?.["context"]
      return typeof context === "string"
        ? { messages: [{ role: "user", content: text(`Prompt with context: ${context}`) }] }
        : inputRequired({
            inputRequests: { user_context: form("What context should the prompt use?", "context") }
          })
    }
  )
}
