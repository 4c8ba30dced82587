import { paramsOf, type JsonRpcMessage } from "./JsonRpc.ts"

/** What a client has set up in its session: a server that begins the session anew must be told again. */
export interface ClientSetup {
  /** The client's `logging/setLevel`. */
  readonly logLevel: JsonRpcMessage | undefined
  /** The client's `resources/subscribe`, by URI, oldest first. */
  readonly subscriptions: ReadonlyMap<unknown, JsonRpcMessage>
}

/** Nothing is set up yet. */
export const emptySetup: ClientSetup = { logLevel: undefined, subscriptions: new Map() }

/**
 * What is set up after a request.
 *
 * @param maxSubscriptions how many are remembered, the latest
 */
export const afterRequest = <A extends ClientSetup>(
  setup: A,
  request: JsonRpcMessage,
  maxSubscriptions: number
): A => {
  switch (request.json["method"]) {
    case "logging/setLevel":
      return { ...setup, logLevel: request }
    case "resources/subscribe": {
      const others = withoutSubscription(request, setup).slice(1 - maxSubscriptions)
      return { ...setup, subscriptions: new Map([...others, [uriOf(request), request]]) }
    }
    case "resources/unsubscribe":
      return { ...setup, subscriptions: new Map(withoutSubscription(request, setup)) }
    default:
      return setup
  }
}

const withoutSubscription = (request: JsonRpcMessage, { subscriptions }: ClientSetup) =>
  [...subscriptions].filter(([uri]) => uri !== uriOf(request))

const uriOf = ({ json }: JsonRpcMessage): unknown => paramsOf(json)["uri"]

/** The requests that set the same up again. */
export const requestsToRepeat = ({ logLevel, subscriptions }: ClientSetup): ReadonlyArray<JsonRpcMessage> => [
  ...(logLevel === undefined ? [] : [logLevel]),
  ...subscriptions.values()
]
