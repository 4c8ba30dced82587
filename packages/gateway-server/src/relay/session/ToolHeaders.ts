import * as Effect from "effect/Effect"
import {
  isJsonObject,
  makeRequest,
  metaOf,
  objectAt,
  paramsOf,
  type JsonObject,
  type JsonRpcMessage
} from "../../jsonrpc/JsonRpc.ts"
import { encodeHeaderValue, isHeaderName } from "../../jsonrpc/MirroredHeaders.ts"

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

/** Tools with mirrored parameters that are remembered. The one that was listed first is forgotten first. */
const maxTools = 10_000

export const makeToolHeaders = (): ToolHeaders => {
  const tools = new Map<string, ReadonlyArray<MirroredParameter>>()
  const set = (name: string, parameters: ReadonlyArray<MirroredParameter>) => {
    tools.delete(name)
    if (parameters.length === 0) return
    tools.set(name, parameters)
    const [oldest] = tools.keys()
    if (tools.size > maxTools && oldest !== undefined) tools.delete(oldest)
  }
  return {
    learn: (result) => {
      const list = result["tools"]
      if (!Array.isArray(list)) return
      for (const tool of list.filter(isJsonObject)) {
        const { name } = tool
        if (typeof name === "string") set(name, mirroredParameters(objectAt(tool, "inputSchema"), []))
      }
    },
    headersFor: (message) => {
      if (message["method"] !== "tools/call") return {}
      const params = paramsOf(message)
      const headers: Record<string, string> = {}
      for (const { header, path } of tools.get(String(params["name"])) ?? []) {
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
      typeof header === "string" && isHeaderName(header) ? [{ header, path: here }] : []
    return own.concat(mirroredParameters(property, here))
  })

const valueAt = (root: JsonObject, path: ReadonlyArray<string>): string | undefined => {
  let value: unknown = root
  for (const key of path) value = isJsonObject(value) ? value[key] : undefined
  if (typeof value === "string") return value
  return typeof value === "boolean" || Number.isSafeInteger(value) ? String(value) : undefined
}

const maxPages = 50

/**
 * Asks for the list of tools, page by page, as a server with mirrored parameters expects before a call ("Client Behavior").
 *
 * @param call the metadata of this call are sent along
 * @param ask gets the result of a request
 */
export const lookUpTools = <E>(
  call: JsonObject,
  ask: (request: JsonRpcMessage) => Effect.Effect<JsonObject, E>,
  page: { readonly number: number; readonly cursor?: unknown } = { number: 0 }
): Effect.Effect<void, E> => {
  const params = { _meta: metaOf(call), ...(page.cursor === undefined ? {} : { cursor: page.cursor }) }
  return Effect.flatMap(
    ask(makeRequest(`tools-of-the-relay-${page.number}`, "tools/list", params)),
    (result) => {
      const { nextCursor } = result
      return nextCursor === undefined || page.number + 1 >= maxPages
        ? Effect.void
        : lookUpTools(call, ask, { number: page.number + 1, cursor: nextCursor })
    }
  )
}
