import { afterRequest, type ClientSetup, emptySetup } from "../jsonrpc/ClientSetup.ts"
import type { JsonRpcMessage } from "../jsonrpc/JsonRpc.ts"

/** What a client told its server that a new connection of the session has to be told again. */
export interface SessionHistory extends ClientSetup {
  readonly initialize: JsonRpcMessage | undefined
  /** `notifications/initialized` */
  readonly initialized: JsonRpcMessage | undefined
}

export const emptyHistory: SessionHistory = { ...emptySetup, initialize: undefined, initialized: undefined }

const maxSubscriptions = 256

/** How many characters of a message are remembered, but for `initialize`, of which there is only one. */
const maxLength = 8 * 1024

/** Remembers a message of the client if it has to be told again. */
export const remember =
  (message: JsonRpcMessage) =>
  (history: SessionHistory): SessionHistory => {
    const method = message.json["method"]
    if (method === "initialize") return { ...history, initialize: message }
    if (message.text.length > maxLength) return history
    return method === "notifications/initialized"
      ? { ...history, initialized: message }
      : afterRequest(history, message, maxSubscriptions)
  }
