import {
  idTextAt,
  metaKeys,
  metaOf,
  paramsOf,
  type IdText,
  type JsonObject,
  type JsonRpcMessage,
  withValuesAt
} from "../jsonrpc/JsonRpc.ts"

const progressToken = ["params", "_meta", "progressToken"]

/** The ids by which a client knows its request. */
export interface ClientIds {
  readonly id: IdText
  readonly progressToken: IdText | undefined
}

/** The ids in a request; undefined if it has no id. */
export const clientIdsOf = (request: JsonRpcMessage): ClientIds | undefined => {
  const id = idTextAt(request)
  return id === undefined ? undefined : { id, progressToken: idTextAt(request, progressToken) }
}

/**
 * The ids, progress tokens and subscription ids of different clients may be alike. Towards a server that they share,
 * each request has a number of its own for all three.
 */
export const withNumber = (request: JsonRpcMessage, number: number): string =>
  withValuesAt(request, [["id"], String(number)], [progressToken, String(number)])

/** The number of the request that a notification of the server belongs to; undefined if it does not say. */
export const numberIn = (notification: JsonObject): unknown => {
  const subscription = metaOf(notification)[metaKeys.subscriptionId]
  if (subscription !== undefined) return subscription
  const key = numberKeys.get(notification["method"])
  return key === undefined ? undefined : paramsOf(notification)[key]
}

const numberKeys: ReadonlyMap<unknown, string> = new Map([
  ["notifications/progress", "progressToken"],
  ["notifications/cancelled", "requestId"]
])

/** A response of the server with the ids that its client knows. */
export const restoreResponse = (response: JsonRpcMessage, { id }: ClientIds): string =>
  withValuesAt(response, [["id"], id], [["result", "_meta", metaKeys.subscriptionId], id])

/** A notification of the server with the ids that its client knows. */
export const restoreNotification = (notification: JsonRpcMessage, ids: ClientIds): string => {
  const { method } = notification.json
  const key = numberKeys.get(method)
  const own = method === "notifications/progress" ? ids.progressToken : ids.id
  return withValuesAt(
    notification,
    ...(key === undefined || own === undefined ? [] : [[["params", key], own] as const]),
    [["params", "_meta", metaKeys.subscriptionId], ids.id]
  )
}
