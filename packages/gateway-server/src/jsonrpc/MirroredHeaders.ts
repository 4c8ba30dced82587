import type { IncomingHttpHeaders } from "node:http"
import { isRequest, metaKeys, metaOf, paramsOf, type JsonObject } from "./JsonRpc.ts"

/** The field that `Mcp-Name` repeats, by method (MCP 2026-07-28, Streamable HTTP, "Standard Request Headers"). */
const nameFields: ReadonlyMap<unknown, string> = new Map([
  ["tools/call", "name"],
  ["prompts/get", "name"],
  ["resources/read", "uri"],
  // The tasks extension (SEP-2663).
  ["tasks/get", "taskId"],
  ["tasks/update", "taskId"],
  ["tasks/cancel", "taskId"]
])

/** The revision that a message declares. Only messages of stateless revisions declare one. */
export const declaredVersion = (message: JsonObject): string | undefined =>
  stringAt(metaOf(message), metaKeys.protocolVersion)

/** The headers for a POST of this message; none for a revision with sessions. */
export const mirroredHeaders = (message: JsonObject): Record<string, string> => {
  const version = declaredVersion(message)
  if (version === undefined) return {}
  const headers: Record<string, string> = { "mcp-protocol-version": version }
  const method = stringAt(message, "method")
  if (method !== undefined) headers["mcp-method"] = encodeHeaderValue(method)
  const name = nameOf(message)
  if (name !== undefined) headers["mcp-name"] = encodeHeaderValue(name)
  return headers
}

/** The difference between the headers of a POST and the request in it; undefined if there is none ("Server Validation"). */
export const findHeaderMismatch = (headers: IncomingHttpHeaders, message: JsonObject): string | undefined => {
  if (!isRequest(message)) return undefined
  const expected = {
    "MCP-Protocol-Version": declaredVersion(message),
    "Mcp-Method": message.method,
    "Mcp-Name": nameOf(message)
  }
  for (const [name, value] of Object.entries(expected)) {
    const header = headers[name.toLowerCase()]
    if (value === undefined && name === "Mcp-Name") continue
    if (header === undefined) return `the ${name} header is missing`
    if (typeof header !== "string" || decodeHeaderValue(header) !== value)
      return `the ${name} header differs from the body`
  }
  return undefined
}

const nameOf = (message: JsonObject): string | undefined => {
  const field = nameFields.get(message["method"])
  return field === undefined ? undefined : stringAt(paramsOf(message), field)
}

const stringAt = (value: JsonObject, key: string): string | undefined => {
  const inner = value[key]
  return typeof inner === "string" ? inner : undefined
}

/** A value encoded for a header: in base64 if it is not plain ASCII ("Value Encoding"). */
export const encodeHeaderValue = (value: string): string =>
  /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !sentinel.test(value)
    ? value
    : `=?base64?${Buffer.from(value).toString("base64")}?=`

/** Whether a text can be the name of a header (RFC 9110 §5.1). */
export const isHeaderName = (text: string): boolean => /^[\w!#$%&'*+.^`|~-]+$/.test(text)

const decodeHeaderValue = (value: string): string => {
  const encoded = sentinel.exec(value)?.[1]
  return encoded === undefined ? value : Buffer.from(encoded, "base64").toString()
}

const sentinel = /^=\?base64\?(.*)\?=$/s
