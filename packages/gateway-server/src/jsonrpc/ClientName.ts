import { type JsonObject, type JsonRpcMessage, metaKeys, metaOf, objectAt, paramsOf } from "./JsonRpc.ts"

/**
 * What an MCP client calls itself, as one short line: in the `clientInfo` of its `initialize` or, since 2026-07-28, of the
 * `_meta` of each request; else the product that its `User-Agent` begins with (RFC 9110 §10.1.5). Undefined if it says
 * nothing of itself. Anybody can call a client so: it is for people to read, and nothing is decided by it.
 */
export const clientNameOf = (
  message: JsonRpcMessage | undefined,
  userAgent: string | undefined
): string | undefined => {
  const { name, title } = message === undefined ? {} : clientInfoOf(message.json)
  return nameIn(name) ?? nameIn(title) ?? nameIn(userAgent?.match(product)?.[0])
}

const clientInfoOf = (json: JsonObject): JsonObject =>
  json["method"] === "initialize"
    ? objectAt(paramsOf(json), "clientInfo")
    : objectAt(metaOf(json), metaKeys.clientInfo)

/** A token (RFC 9110 §5.6.2): the version of the product comes after a slash. */
const product = /^[\w!#$%&'*+.^`|~-]+/

/** A name on one line. What is no text, or shows nothing, is no name. */
const nameIn = (value: unknown): string | undefined => {
  if (typeof value !== "string") return undefined
  const line = value
    // Cut before it is read: it may be as long as a message.
    .slice(0, 10 * longest)
    .replaceAll(/[\p{Cf}\p{Cs}]/gu, "")
    .replaceAll(/[\s\p{Cc}]+/gu, " ")
    .trim()
  return line === "" ? undefined : shortClientName(line).trimEnd()
}

/** In UTF-16 units, as `String.length` counts. */
const longest = 100

/** The first 100 characters of a name. No character is cut in two. */
export const shortClientName = (name: string): string => name.slice(0, longest).replace(/\p{Cs}$/u, "")
