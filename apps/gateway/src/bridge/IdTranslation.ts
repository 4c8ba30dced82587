import {
  metaKeys,
  metaOf,
  objectAt,
  paramsOf,
  type JsonObject,
  type JsonRpcRequest
} from "../jsonrpc/JsonRpc.ts"

/**
 * The ids, progress tokens and subscription ids of different clients may be alike. Towards a child that they share,
 * each request has a number of its own for all three.
 */
export const withNumber = (request: JsonRpcRequest, number: number): JsonObject => {
  if (metaOf(request)["progressToken"] === undefined) return { ...request, id: number }
  return {
    ...request,
    id: number,
    params: { ...paramsOf(request), _meta: { ...metaOf(request), progressToken: number } }
  }
}

/** The number of the request that a notification of the child belongs to; undefined if it does not say. */
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

/** A response of the child with the ids that its client knows. */
export const restoreResponse = (response: JsonObject, request: JsonRpcRequest): JsonObject => {
  const result = objectAt(response, "result")
  const meta = objectAt(result, "_meta")
  if (meta[metaKeys.subscriptionId] === undefined) return { ...response, id: request.id }
  return {
    ...response,
    id: request.id,
    result: { ...result, _meta: { ...meta, [metaKeys.subscriptionId]: request.id } }
  }
}

/** A notification of the child with the ids that its client knows. */
export const restoreNotification = (notification: JsonObject, request: JsonRpcRequest): JsonObject => {
  const { method } = notification
  const meta = metaOf(notification)
  return {
    ...notification,
    params: {
      ...paramsOf(notification),
      ...(method === "notifications/progress" ? { progressToken: metaOf(request)["progressToken"] } : {}),
      ...(method === "notifications/cancelled" ? { requestId: request.id } : {}),
      ...(meta[metaKeys.subscriptionId] === undefined
        ? {}
        : { _meta: { ...meta, [metaKeys.subscriptionId]: request.id } })
    }
  }
}
