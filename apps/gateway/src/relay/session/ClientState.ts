import { type JsonObject, type JsonRpcMessage, paramsOf } from "../../jsonrpc/JsonRpc.ts"

/** What the client has set up in its session: a server that has forgotten the session must be told again. */
export interface ClientState {
  /** The client's `logging/setLevel`. */
  readonly logLevel: JsonRpcMessage | undefined
  /** The client's `resources/subscribe`, by URI. */
  readonly subscriptions: ReadonlyMap<string, JsonRpcMessage>
}

export const emptyClientState: ClientState = { logLevel: undefined, subscriptions: new Map() }

/** The least recent subscription is forgotten first. */
const maxSubscriptions = 1000

/** The state after the server has answered a request with a result. */
export const afterResult = (state: ClientState, request: JsonRpcMessage): ClientState => {
  const { method } = request.json
  if (method === "logging/setLevel") return { ...state, logLevel: request }
  const uri = uriOf(request.json)
  if (uri === undefined || (method !== "resources/subscribe" && method !== "resources/unsubscribe"))
    return state
  const others = [...state.subscriptions].filter(([other]) => other !== uri)
  const subscriptions = new Map(
    method === "resources/subscribe" ? [...others.slice(1 - maxSubscriptions), [uri, request]] : others
  )
  return { ...state, subscriptions }
}

/** The requests that set the state up again. */
export const requestsOf = ({ logLevel, subscriptions }: ClientState): ReadonlyArray<JsonRpcMessage> => [
  ...(logLevel === undefined ? [] : [logLevel]),
  ...subscriptions.values()
]

const uriOf = (message: JsonObject): string | undefined => {
  const { uri } = paramsOf(message)
  return typeof uri === "string" ? uri : undefined
}
