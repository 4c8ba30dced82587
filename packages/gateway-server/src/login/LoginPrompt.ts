import {
  errorCodes,
  errorResponse,
  idTextAt,
  isJsonObject,
  isRequest,
  metaKeys,
  metaOf,
  objectAt,
  paramsOf,
  resultResponse,
  type IdText,
  type JsonObject,
  type JsonRpcMessage,
  withoutMembersAt
} from "../jsonrpc/JsonRpc.ts"

/** What an MCP client needs so that a person can log in. */
export interface LoginPrompt {
  readonly serverName: string
  /** The link that leads to the login. */
  readonly loginUrl: string
  /** Identifies this prompt (2025-11-25 `elicitationId`). */
  readonly promptId: string
}

/** The key of our input request in a result, and of its answer in the repeated request (2026-07-28). */
export const loginInputKey = "secure_mcp_gateway_login"

/**
 * The JSON-RPC answer that asks the client to open a URL, as its revision defines it; undefined if the request allows
 * none:
 *
 * - 2026-07-28, when the request may be answered with an `InputRequiredResult` and declares URL elicitation
 * - 2025-11-25: the error `URLElicitationRequired`
 *
 * Both are sent with HTTP 200, because client SDKs read them only there.
 *
 * @param protocolVersion the `MCP-Protocol-Version` header
 */
export const answerWithLogin = (
  message: JsonRpcMessage,
  protocolVersion: string | undefined,
  prompt: LoginPrompt
): string | undefined => {
  const { json } = message
  const id = idTextAt(message)
  if (!isRequest(json) || id === undefined) return undefined
  const meta = metaOf(json)
  if (meta[metaKeys.protocolVersion] !== undefined) {
    return takesInput(json.method) && declaresUrlElicitation(meta) ? inputRequired(id, prompt) : undefined
  }
  const version = json.method === "initialize" ? paramsOf(json)["protocolVersion"] : protocolVersion
  return version === "2025-11-25" ? urlElicitationRequired(id, prompt) : undefined
}

/**
 * The person's answer in a repeated request, and the text of the request without it, because the MCP server did not ask
 * for it. Undefined for a request that does not answer our prompt.
 */
export const takeLoginAnswer = (
  message: JsonRpcMessage
): { readonly accepted: boolean; readonly text: string } | undefined => {
  const { [loginInputKey]: answer, ...others } = objectAt(paramsOf(message.json), "inputResponses")
  if (answer === undefined) return undefined
  const path = ["params", "inputResponses"]
  return {
    accepted: isJsonObject(answer) && answer["action"] === "accept",
    text: withoutMembersAt(message, Object.keys(others).length === 0 ? path : [...path, loginInputKey])
  }
}

/** Only these requests may be answered with an input request (2026-07-28, Multi Round-Trip Requests). */
const takesInput = (method: string): boolean =>
  ["tools/call", "prompts/get", "resources/read"].includes(method)

const declaresUrlElicitation = (meta: JsonObject): boolean =>
  objectAt(objectAt(meta, metaKeys.clientCapabilities), "elicitation")["url"] !== undefined

const inputRequired = (id: IdText, prompt: LoginPrompt): string =>
  resultResponse(id, {
    resultType: "input_required",
    inputRequests: {
      [loginInputKey]: {
        method: "elicitation/create",
        params: { mode: "url", url: prompt.loginUrl, message: invitation(prompt) }
      }
    }
  })

const urlElicitationRequired = (id: IdText, prompt: LoginPrompt): string =>
  errorResponse(id, errorCodes.urlElicitationRequired, invitation(prompt), {
    elicitations: [
      {
        mode: "url",
        elicitationId: prompt.promptId,
        url: prompt.loginUrl,
        message: invitation(prompt)
      }
    ]
  })

const invitation = ({ serverName }: LoginPrompt): string =>
  `Log in so that the gateway may use "${serverName}" for you, then repeat the request`
