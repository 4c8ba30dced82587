import { isMessage, parseJsonRpc, type JsonRpcMessage } from "./JsonRpc.ts"

/** What stands on a line. */
export interface MessageLine {
  readonly messages: ReadonlyArray<JsonRpcMessage>
  /** What is no message: the line, or what of its batch. */
  readonly noise: ReadonlyArray<string>
}

/**
 * Reads a line of a peer that may write there what is no message, such as its log.
 *
 * A message counts only if it has its line for itself. Behind other text it may be one that a log quotes, with content
 * that somebody else made up.
 */
export const readMessageLine = (line: string): MessageLine => {
  const text = withoutControls(line)
  if (text === "") return { messages: [], noise: [] }
  const parsed = parseJsonRpc(text)
  if (parsed === undefined) return { messages: [], noise: [line] }
  const messages = parsed.messages.filter(({ json }) => isMessage(json))
  const noise = parsed.messages.filter(({ json }) => !isMessage(json))
  return { messages, noise: noise.map(({ text }) => text) }
}

/**
 * The line without what a terminal would not show before and behind it: spaces, byte order marks, and sequences that
 * set a colour or a title (ECMA-48). JSON has no such character outside of strings, and none of them inside.
 */
const withoutControls = (line: string): string => {
  const text = line.slice(controls.exec(line)?.[0].length ?? 0)
  const end = text.indexOf(escape)
  if (end === -1) return text.trimEnd()
  const behind = text.slice(end)
  return controls.exec(behind)?.[0] === behind ? text.slice(0, end).trimEnd() : text
}

const [escape, bell] = ["\u001B", "\u0007"]
const colour = `${escape}\\[[0-?]*[ -/]*[@-~]`
const title = `${escape}\\][^${bell}${escape}]*(?:${bell}|${escape}\\\\)`
const controls = new RegExp(`^(?:${colour}|${title}|[\\s\\uFEFF])+`)
