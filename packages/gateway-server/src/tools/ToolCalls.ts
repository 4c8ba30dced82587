import * as Effect from "effect/Effect"
import {
  errorCodes,
  errorResponse,
  type JsonRpcMessage,
  paramsOf,
  readJsonRpc,
  requestIdOf,
  textOf
} from "../jsonrpc/JsonRpc.ts"

/** Whether a tool may be used. */
export type ToolCheck = (toolName: string) => boolean

/** What a client hears whose request is not passed on. */
export interface RefusedCall {
  readonly status: number
  readonly text: string
}

/** What of a request says which tool it calls. */
export interface ToolRequest {
  readonly body: Uint8Array
  /** The headers in which MCP 2026-07-28 repeats method and name. */
  readonly method: string | undefined
  readonly name: string | undefined
}

/**
 * Why a request is not passed on: it calls a tool that is not allowed, or it cannot be read, and a server that reads it in another way
 * might find such a call in it. A batch with one such call is refused whole. Undefined for every other request.
 */
export const refusedCall = (
  { body, method, name }: ToolRequest,
  mayUse: ToolCheck
): Effect.Effect<RefusedCall | undefined> =>
  readJsonRpc(textOf(body)).pipe(
    Effect.map(({ isBatch, messages }) => {
      const refused = messages.map((message) => refusedTool(message, mayUse))
      const named = name !== undefined && method === "tools/call" && !mayUse(name) ? name : undefined
      const tool = refused.find((found) => found !== undefined) ?? named
      if (tool === undefined) return undefined
      const answers = messages.flatMap((message, index) => answerTo(message, refused[index], tool))
      if (answers.length === 0) return { status: 400, text: notAllowed(undefined, tool) }
      return { status: 200, text: isBatch ? `[${answers.join(",")}]` : (answers[0] ?? "") }
    }),
    Effect.catch(({ code, problem }) =>
      Effect.succeed({ status: 400, text: errorResponse(undefined, code, problem) })
    )
  )

/** The tool that a message calls, if that is not allowed; a name that is no text is that of no tool. */
const refusedTool = ({ json }: JsonRpcMessage, mayUse: ToolCheck): string | undefined => {
  if (json["method"] !== "tools/call") return undefined
  const { name } = paramsOf(json)
  if (typeof name !== "string") return ""
  return mayUse(name) ? undefined : name
}

/** Why a message is not sent; undefined if it is. */
export const refusalOfCall = (
  message: JsonRpcMessage,
  mayUse: ToolCheck
): { readonly code: number; readonly problem: string } | undefined => {
  const tool = refusedTool(message, mayUse)
  return tool === undefined ? undefined : { code: errorCodes.invalidParams, problem: problemOf(tool) }
}

const answerTo = (
  message: JsonRpcMessage,
  refused: string | undefined,
  tool: string
): ReadonlyArray<string> => {
  const id = requestIdOf(message)
  if (id === undefined) return []
  return [
    refused === undefined && tool !== ""
      ? errorResponse(
          id,
          errorCodes.invalidRequest,
          `Not sent, because the same request calls ${shown(tool)}`
        )
      : notAllowed(id, refused ?? tool)
  ]
}

/** MCP answers a call of a tool that does not exist with this code. */
const notAllowed = (id: Parameters<typeof errorResponse>[0], tool: string): string =>
  errorResponse(id, errorCodes.invalidParams, problemOf(tool))

const problemOf = (tool: string): string =>
  tool === ""
    ? "The call names no tool"
    : `The gateway does not allow ${shown(tool)} (\`tools\` of this server)`

const shown = (tool: string): string => `the tool "${tool.slice(0, 200)}"`
