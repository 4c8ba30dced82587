import * as Predicate from "effect/Predicate"

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
): object | undefined => {
  if (!isRequest(message)) return undefined
  const meta = property(message.params, "_meta")
  if (property(meta, "io.modelcontextprotocol/protocolVersion") !== undefined) {
    return takesInput(message.method) && declaresUrlElicitation(meta)
      ? inputRequired(message.id, prompt)
      : undefined
  }
  const version =
    message.method === "initialize" ? property(message.params, "protocolVersion") : protocolVersion
  return version === "2025-11-25" ? urlElicitationRequired(message.id, prompt) : undefined
}

/**
 * What the person answered when the request was sent before, and the request without that answer, which the MCP
 * server never asked for. Undefined for a request that does not answer a prompt of ours.
 */
export const takeLoginAnswer = (
  message: unknown
): { readonly accepted: boolean; readonly message: object } | undefined => {
  if (!Predicate.isObject(message)) return undefined
  const params = property(message, "params")
  const responses = property(params, "inputResponses")
  const answer = property(responses, loginInputKey)
  if (answer === undefined || !Predicate.isObject(params) || !Predicate.isObject(responses)) return undefined
  const { [loginInputKey]: _answer, ...others }: Record<string, unknown> = { ...responses }
  const { inputResponses: _responses, ...rest }: Record<string, unknown> = { ...params }
  const kept = Object.keys(others).length === 0 ? rest : { ...rest, inputResponses: others }
  return { accepted: property(answer, "action") === "accept", message: { ...message, params: kept } }
}

interface JsonRpcRequest {
  readonly id: string | number
  readonly method: string
  readonly params?: unknown
}

const isRequest = (message: unknown): message is JsonRpcRequest =>
  Predicate.hasProperty(message, "id") &&
  (typeof message.id === "string" || typeof message.id === "number") &&
  Predicate.hasProperty(message, "method") &&
  typeof message.method === "string"

const property = (value: unknown, key: string): unknown =>
  Predicate.isObject(value) ? Reflect.get(value, key) : undefined

/** Only these requests may be answered with a question (2026-07-28, Multi Round-Trip Requests). */
const takesInput = (method: string): boolean =>
  ["tools/call", "prompts/get", "resources/read"].includes(method)

const declaresUrlElicitation = (meta: unknown): boolean =>
  property(property(property(meta, "io.modelcontextprotocol/clientCapabilities"), "elicitation"), "url") !==
  undefined

const inputRequired = (id: string | number, prompt: LoginPrompt) => ({
  jsonrpc: "2.0",
  id,
  result: {
    resultType: "input_required",
    inputRequests: {
      [loginInputKey]: {
        method: "elicitation/create",
        params: { mode: "url", url: prompt.authorizationUrl, message: invitation(prompt) }
      }
    }
  }
})

/** The code of `URLElicitationRequiredError` (2025-11-25, Elicitation). */
const urlElicitationRequiredCode = -32042

const urlElicitationRequired = (id: string | number, prompt: LoginPrompt) => ({
  jsonrpc: "2.0",
  id,
  error: {
    code: urlElicitationRequiredCode,
    message: invitation(prompt),
    data: {
      elicitations: [
        {
          mode: "url",
          elicitationId: prompt.promptId,
          url: prompt.authorizationUrl,
          message: invitation(prompt)
        }
      ]
    }
  }
})

const invitation = ({ serverName }: LoginPrompt): string =>
  `Log in so that the gateway may use "${serverName}" for you, then repeat the request`
