import {
  errorCodes,
  errorResponse,
  isJsonObject,
  isRequest,
  metaKeys,
  metaOf,
  objectAt,
  paramsOf,
  resultResponse,
  type JsonObject,
  type RequestId
} from "../jsonrpc/JsonRpc.ts"

/** What an MCP client must be told so that a person can log in. */
export interface LoginPrompt {
  readonly serverName: string
  readonly authorizationUrl: string
  /** Names this prompt among others (2025-11-25 `elicitationId`). */
  readonly promptId: string
}

/** The key of our input request in a result, and of the answer to it in the repeated request (2026-07-28). */
export const loginInputKey = "secure_mcp_gateway_login"

/**
 * The JSON-RPC answer in which the client's own revision says "open this URL", or undefined when the request has
 * no such way of saying it:
 *
 * - 2026-07-28, when the request may be answered with an `InputRequiredResult` and declares URL elicitation
 * - 2025-11-25: the error `URLElicitationRequired`
 *
 * Both travel with HTTP 200, because that is where client SDKs read them.
 *
 * @param protocolVersion the `MCP-Protocol-Version` header
 */
export const answerWithLogin = (
  message: unknown,
  protocolVersion: string | undefined,
  prompt: LoginPrompt
): string | undefined => {
  if (!isJsonObject(message) || !isRequest(message)) return undefined
  const meta = metaOf(message)
  if (meta[metaKeys.protocolVersion] !== undefined) {
    return takesInput(message.method) && declaresUrlElicitation(meta)
      ? inputRequired(message.id, prompt)
      : undefined
  }
  const version = message.method === "initialize" ? paramsOf(message)["protocolVersion"] : protocolVersion
  return version === "2025-11-25" ? urlElicitationRequired(message.id, prompt) : undefined
}

/**
 * What the person answered when the request was sent before, and the request without that answer, which the MCP
 * server never asked for. Undefined for a request that does not answer a prompt of ours.
 */
export const takeLoginAnswer = (
  message: unknown
): { readonly accepted: boolean; readonly message: object } | undefined => {
  if (!isJsonObject(message)) return undefined
  const { inputResponses: _responses, ...rest } = paramsOf(message)
  const { [loginInputKey]: answer, ...others } = objectAt(paramsOf(message), "inputResponses")
  if (answer === undefined) return undefined
  const params = Object.keys(others).length === 0 ? rest : { ...rest, inputResponses: others }
  return {
    accepted: isJsonObject(answer) && answer["action"] === "accept",
    message: { ...message, params }
  }
}

/** Only these requests may be answered with a question (2026-07-28, Multi Round-Trip Requests). */
const takesInput = (method: string): boolean =>
  ["tools/call", "prompts/get", "resources/read"].includes(method)

const declaresUrlElicitation = (meta: JsonObject): boolean =>
  objectAt(objectAt(meta, metaKeys.clientCapabilities), "elicitation")["url"] !== undefined

const inputRequired = (id: RequestId, prompt: LoginPrompt): string =>
  resultResponse(id, {
    resultType: "input_required",
    inputRequests: {
      [loginInputKey]: {
        method: "elicitation/create",
        params: { mode: "url", url: prompt.authorizationUrl, message: invitation(prompt) }
      }
    }
  })

const urlElicitationRequired = (id: RequestId, prompt: LoginPrompt): string =>
  errorResponse(id, errorCodes.urlElicitationRequired, invitation(prompt), {
    elicitations: [
      {
        mode: "url",
        elicitationId: prompt.promptId,
        url: prompt.authorizationUrl,
        message: invitation(prompt)
      }
    ]
  })

const invitation = ({ serverName }: LoginPrompt): string =>
  `Log in so that the gateway may use "${serverName}" for you, then repeat the request`
