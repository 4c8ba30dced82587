import { isJsonObject, objectAt, paramsOf, type JsonObject } from "../jsonrpc/JsonRpc.ts"
import { encodeHeaderValue } from "../jsonrpc/MirroredHeaders.ts"

/**
 * The `Mcp-Param-*` headers of tool calls (MCP 2026-07-28, Streamable HTTP, "Custom Headers from Tool Parameters").
 * A client that speaks stdio does not send them, so the relay learns the schemas from the lists of tools it relays.
 */
export interface ToolHeaders {
  /** Learns from the result of `tools/list`. */
  readonly learn: (result: JsonObject) => void
  /** The headers for a `tools/call`; none for another message or a tool not seen yet. */
  readonly headersFor: (message: JsonObject) => Record<string, string>
}

/** A parameter that is repeated in a header. */
interface MirroredParameter {
  readonly header: string
  readonly path: ReadonlyArray<string>
}

export const makeToolHeaders = (): ToolHeaders => {
  const tools = new Map<unknown, ReadonlyArray<MirroredParameter>>()
  return {
    learn: (result) => {
      const list = result["tools"]
      if (!Array.isArray(list)) return
      for (const tool of list.filter(isJsonObject))
        tools.set(tool["name"], mirroredParameters(objectAt(tool, "inputSchema"), []))
    },
    headersFor: (message) => {
      if (message["method"] !== "tools/call") return {}
      const params = paramsOf(message)
      const headers: Record<string, string> = {}
      for (const { header, path } of tools.get(params["name"]) ?? []) {
        const value = valueAt(objectAt(params, "arguments"), path)
        if (value !== undefined) headers[`mcp-param-${header.toLowerCase()}`] = encodeHeaderValue(value)
      }
      return headers
    }
  }
}

/** Only properties reached through `properties` count. */
const mirroredParameters = (schema: JsonObject, path: ReadonlyArray<string>): Array<MirroredParameter> =>
  Object.entries(objectAt(schema, "properties")).flatMap(([name, property]) => {
    if (!isJsonObject(property)) return []
    const here = [...path, name]
    const header = property["x-mcp-header"]
    const own: Array<MirroredParameter> =
      typeof header === "string" && fieldName.test(header) ? [{ header, path: here }] : []
    return own.concat(mirroredParameters(property, here))
  })

/** RFC 9110 §5.1 */
const fieldName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

const valueAt = (root: JsonObject, path: ReadonlyArray<string>): string | undefined => {
  let value: unknown = root
  for (const key of path) value = isJsonObject(value) ? value[key] : undefined
  if (typeof value === "string") return value
  return typeof value === "boolean" || Number.isSafeInteger(value) ? String(value) : undefined
}
