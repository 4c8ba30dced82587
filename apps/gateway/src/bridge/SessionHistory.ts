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
const maxSubscriptions = 1024

/** Remembers a message of the client if it has to be told again. */
export const remember =
  (message: JsonRpcMessage) =>
  (history: SessionHistory): SessionHistory => {
    switch (message.json["method"]) {
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
