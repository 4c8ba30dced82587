import { paramsOf, type JsonRpcMessage } from "../jsonrpc/JsonRpc.ts"

/** What a client told its server that a new connection of the session has to be told again. */
export interface SessionHistory {
  readonly initialize: JsonRpcMessage | undefined
  /** `notifications/initialized` */
  readonly initialized: JsonRpcMessage | undefined
  readonly logLevel: JsonRpcMessage | undefined
  /** By URI, oldest first. */
  readonly subscriptions: ReadonlyMap<unknown, JsonRpcMessage>
}

export const emptyHistory: SessionHistory = {
  initialize: undefined,
  initialized: undefined,
  logLevel: undefined,
  subscriptions: new Map()
}

/** How many subscriptions are remembered, the latest. */
const maxSubscriptions = 256

/** How many characters of a message are remembered, but for `initialize`, of which there is only one. */
const maxLength = 8 * 1024

/** Remembers a message of the client if it has to be told again. */
export const remember =
  (message: JsonRpcMessage) =>
  (history: SessionHistory): SessionHistory => {
    const method = message.json["method"]
    if (method !== "initialize" && message.text.length > maxLength) return history
    switch (method) {
      case "initialize":
        return { ...history, initialize: message }
      case "notifications/initialized":
        return { ...history, initialized: message }
      case "logging/setLevel":
        return { ...history, logLevel: message }
      case "resources/subscribe": {
        const others = withoutSubscription(message, history)
        return {
          ...history,
          subscriptions: new Map([
            ...others.slice(-(maxSubscriptions - 1)),
            [paramsOf(message.json)["uri"], message]
          ])
        }
      }
      case "resources/unsubscribe":
        return { ...history, subscriptions: new Map(withoutSubscription(message, history)) }
      default:
        return history
    }
  }

const withoutSubscription = ({ json }: JsonRpcMessage, { subscriptions }: SessionHistory) =>
  [...subscriptions].filter(([uri]) => uri !== paramsOf(json)["uri"])

/** The requests to repeat once the server is initialized. */
export const requestsToRepeat = ({
  logLevel,
  subscriptions
}: SessionHistory): ReadonlyArray<JsonRpcMessage> => [
  ...(logLevel === undefined ? [] : [logLevel]),
  ...subscriptions.values()
]
