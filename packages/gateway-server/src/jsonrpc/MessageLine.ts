import * as Effect from "effect/Effect"
import { isMessage, readJsonRpc, type JsonRpcMessage, type UnreadableMessage } from "./JsonRpc.ts"

/** What stands on a line. */
export interface MessageLine {
  readonly messages: ReadonlyArray<JsonRpcMessage>
  /** What is no message: the line, or what of its batch. */
  readonly noise: ReadonlyArray<string>
  /** Why the line is not read, if it goes beyond a bound. */
  readonly unreadable?: UnreadableMessage
}

/**
 * Reads a line of a peer that may write there what is no message, such as its log.
 *
 * A message counts only if it has its line for itself. Behind other text it may be one that a log quotes, with content
 * that somebody else made up.
 */
export const readMessageLine = (line: string): Effect.Effect<MessageLine> => {
  const text = withoutControls(line)
  if (text === "") return Effect.succeed({ messages: [], noise: [] })
  return readJsonRpc(text).pipe(
    Effect.match({
      onFailure: (unreadable): MessageLine =>
        unreadable.isBeyondBound ? { messages: [], noise: [], unreadable } : { messages: [], noise: [line] },
      onSuccess: (parsed): MessageLine => ({
        messages: parsed.messages.filter(({ json }) => isMessage(json)),
        noise: parsed.messages.filter(({ json }) => !isMessage(json)).map(({ text }) => text)
      })
    })
  )
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
