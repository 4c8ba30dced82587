import type { ToolCheck } from "./ToolCalls.ts"
import { withoutHiddenTools } from "./ListedTools.ts"

/** A line of an event stream, with what ends it. */
type Line = readonly [text: string, end: string]

/**
 * Passes an event stream on, event by event, without the tools that are not allowed. Events that list no tools stay as they were
 * written (HTML, "Server-sent events").
 */
export class EventFilter {
  readonly #mayUse: ToolCheck
  readonly #maxLength: number
  #lines: Array<Line> = []
  #length = 0
  #rest = ""
  #endedInReturn = false

  /** @param maxLength of one event, in UTF-16 units */
  constructor(mayUse: ToolCheck, maxLength: number) {
    this.#mayUse = mayUse
    this.#maxLength = maxLength
  }

  /** The events that are complete now; undefined if one is too long. */
  read(text: string): string | undefined {
    // A carriage return at the end of a piece ended its line, whatever follows it.
    const input = this.#endedInReturn && text.startsWith("\n") ? text.slice(1) : text
    if (text !== "") this.#endedInReturn = text.endsWith("\r")
    let output = ""
    let start = 0
    for (const { 0: end, index } of input.matchAll(/\r\n|\n|\r/g)) {
      output += this.#readLine([this.#rest + input.slice(start, index), end])
      this.#rest = ""
      start = index + end.length
    }
    this.#rest += input.slice(start)
    return this.#length + this.#rest.length > this.#maxLength ? undefined : output
  }

  /** What is left at the end of the stream: an event that is not complete, which some clients read all the same. */
  finish(): string {
    if (this.#rest !== "") this.#lines.push([this.#rest, ""])
    this.#rest = ""
    return this.#takeEvent()
  }

  #readLine(line: Line): string {
    const [text, end] = line
    if (text === "") return this.#takeEvent() + end
    // A comment keeps the connection open, and waits for nothing.
    if (text.startsWith(":") && this.#lines.length === 0) return text + end
    this.#lines.push(line)
    this.#length += text.length
    return ""
  }

  #takeEvent(): string {
    const lines = this.#lines
    this.#lines = []
    this.#length = 0
    const data = lines.flatMap(([text]) => (isData(text) ? [text.replace(/^data(?:: ?)?/, "")] : []))
    const text = data.join("\n")
    const kept = withoutHiddenTools(text, this.#mayUse)
    if (kept === text) return lines.map(([line, end]) => line + end).join("")
    const end = lines[0]?.[1] ?? "\n"
    const others = lines.filter(([line]) => !isData(line)).map(([line, lineEnd]) => line + lineEnd)
    return [...others, ...kept.split("\n").map((line) => `data: ${line}${end}`)].join("")
  }
}

const isData = (line: string): boolean => line === "data" || line.startsWith("data:")
