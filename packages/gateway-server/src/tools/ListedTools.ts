import { isJsonObject } from "../jsonrpc/JsonRpc.ts"
import { elementsOf, rangesAt, replaceAll } from "../jsonrpc/JsonText.ts"
import type { ToolCheck } from "./ToolCalls.ts"

/**
 * The text of a message, or of a batch of messages, without the tools that are not allowed; unchanged if it lists no tools, or is not
 * JSON. Everything else stays as the server wrote it.
 */
export const withoutHiddenTools = (text: string, mayUse: ToolCheck): string => {
  if (!mayListTools(text)) return text
  const value = parse(text)
  if (Array.isArray(value)) {
    if (!value.some(listsTools)) return text
    return `[${elementsOf(text)
      .map((element) => filtered(element, mayUse))
      .join(",")}]`
  }
  return listsTools(value) ? filtered(text, mayUse) : text
}

/** Most answers list no tools, and are not parsed. A key may be written with escapes. */
const mayListTools = (text: string): boolean => text.includes('"tools"') || text.includes("\\u")

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const listsTools = (message: unknown): boolean =>
  isJsonObject(message) && isJsonObject(message["result"]) && Array.isArray(message["result"]["tools"])

const filtered = (text: string, mayUse: ToolCheck): string =>
  replaceAll(
    text,
    rangesAt(text, ["result", "tools"]).flatMap((range) => {
      const list = text.slice(range.start, range.end)
      if (!list.startsWith("[")) return []
      const kept = elementsOf(list).filter((element) => isListed(parse(element), mayUse))
      return [{ ...range, source: `[${kept.join(",")}]` }]
    })
  )

const isListed = (tool: unknown, mayUse: ToolCheck): boolean =>
  isJsonObject(tool) && typeof tool["name"] === "string" && mayUse(tool["name"])
