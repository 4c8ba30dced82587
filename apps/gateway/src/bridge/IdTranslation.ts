import {
  idTextAt,
  metaKeys,
  metaOf,
  paramsOf,
  type IdText,
  type JsonObject,
  type JsonRpcMessage
} from "../jsonrpc/JsonRpc.ts"
import { replaceAt } from "../jsonrpc/JsonText.ts"

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
export const withNumber = ({ text }: JsonRpcMessage, number: number): string =>
  replaceAt(replaceAt(text, ["id"], String(number)), progressToken, String(number))

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
export const restoreResponse = ({ text }: JsonRpcMessage, { id }: ClientIds): string =>
  replaceAt(replaceAt(text, ["id"], id), ["result", "_meta", metaKeys.subscriptionId], id)

/** A notification of the server with the ids that its client knows. */
export const restoreNotification = ({ json, text }: JsonRpcMessage, ids: ClientIds): string => {
  const key = numberKeys.get(json["method"])
  const own = json["method"] === "notifications/progress" ? ids.progressToken : ids.id
  const restored = key === undefined || own === undefined ? text : replaceAt(text, ["params", key], own)
  return replaceAt(restored, ["params", "_meta", metaKeys.subscriptionId], ids.id)
}
