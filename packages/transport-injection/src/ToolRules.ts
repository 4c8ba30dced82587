import { decodeConfig, type ConfigResult } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** Which tools of a server its clients may see and call. In a name, `*` stands for any characters. */
export interface ToolRules {
  /** Undefined: all. An empty list: none. */
  readonly allow?: ReadonlyArray<string>
  /** Goes before `allow`. */
  readonly deny: ReadonlyArray<string>
}

const Names = Schema.Array(Schema.NonEmptyString)

/** Decodes the `tools` object of an entry and reports every problem at once. */
export const decodeToolRules: (input: unknown) => ConfigResult<ToolRules> = decodeConfig({
  schema: Schema.Struct({
    allow: Schema.optionalKey(Names),
    deny: Names.pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
  }),
  keys: ["allow", "deny"],
  wireNames: {},
  rules: () => []
})

/** Makes what says whether a tool may be used. */
export const makeToolCheck = ({ allow, deny }: ToolRules): ((toolName: string) => boolean) => {
  const isAllowed = allow === undefined ? () => true : matcherOf(allow)
  const isDenied = matcherOf(deny)
  return (toolName) => !isDenied(toolName) && isAllowed(toolName)
}

const matcherOf = (names: ReadonlyArray<string>): ((toolName: string) => boolean) => {
  const exact = new Set(names.filter((name) => !name.includes("*")))
  const patterns = names.filter((name) => name.includes("*")).map(partsOf)
  return (toolName) => exact.has(toolName) || patterns.some((parts) => matches(parts, toolName))
}

const partsOf = (name: string): ReadonlyArray<string> => name.split("*")

/** Each part is looked for once, after the one before it: the time does not grow with the number of stars. */
const matches = (parts: ReadonlyArray<string>, name: string): boolean => {
  const first = parts[0] ?? ""
  const last = parts.at(-1) ?? ""
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length)
    return false
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return at <= name.length - last.length
}
