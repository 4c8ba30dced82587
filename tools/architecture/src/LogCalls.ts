import { parseSync, Visitor } from "rolldown/utils"
import { read } from "./Workspace.ts"

/** A log entry that a file writes at info or above. */
export interface LogCall {
  readonly level: "info" | "warn" | "error" | "fatal"
  /** As it is written, with `…` for each part that is computed. */
  readonly message: string
  /** From the repository's directory. */
  readonly file: string
}

const levels: Readonly<Record<string, LogCall["level"]>> = {
  log: "info",
  logInfo: "info",
  logWarning: "warn",
  logError: "error",
  logFatal: "fatal"
}

/** The entries that the code of a file writes with Effect's log functions, debug and trace left out. */
export const logCallsOf = (file: string, text = read(file)): ReadonlyArray<LogCall> => {
  const calls: Array<LogCall> = []
  new Visitor({
    CallExpression: ({ arguments: values, callee }) => {
      if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return
      if (callee.object.type !== "Identifier" || callee.object.name !== "Effect") return
      const level = levels[callee.property.name]
      if (level !== undefined) calls.push({ level, message: values.map(textOf).join(" "), file })
    }
  }).visit(parseSync(file, text).program)
  return calls
}

/** What is read of an argument. */
interface Argument {
  readonly type: string
  readonly value?: unknown
  readonly quasis?: ReadonlyArray<{ readonly value: { readonly cooked?: string | null } }>
}

const textOf = ({ quasis, type, value }: Argument): string => {
  if (type === "Literal" && typeof value === "string") return value
  return type === "TemplateLiteral" && quasis !== undefined
    ? quasis.map((part) => part.value.cooked ?? "").join("…")
    : "…"
}

/** The entries that a Markdown table lists: its rows are level, message, file, and more. */
export const loggedRows = (text: string): ReadonlyArray<LogCall> =>
  [...text.matchAll(/^\| (info|warn|error|fatal) +\| (.+?) +\| `([^`]+\.ts)` +\|/gm)].map(
    ([, level = "", message = "", file = ""]) => ({
      level: levelOf(level),
      message: message.replaceAll("\\|", "|"),
      file
    })
  )

const levelOf = (text: string): LogCall["level"] =>
  Object.values(levels).find((level) => level === text) ?? "info"
