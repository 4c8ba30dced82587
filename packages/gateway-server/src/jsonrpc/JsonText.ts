/**
 * Reads and changes JSON texts in place. `JSON.parse` and `JSON.stringify` would round numbers that JavaScript cannot
 * hold, drop repeated keys and change the order of some: what the gateway passes on stays as its sender wrote it.
 *
 * Every function takes a text that `JSON.parse` accepts.
 */

/** Where a value stands in a text. */
export interface TextRange {
  readonly start: number
  readonly end: number
}

/** The value at a path of object keys, as it is written; undefined if there is none. Of repeated keys the last counts, as in `JSON.parse`. */
export const sourceAt = (text: string, path: ReadonlyArray<string>): string | undefined => {
  const range = rangesAt(text, path).at(-1)
  return range === undefined ? undefined : text.slice(range.start, range.end)
}

/** The text with another value at a path of object keys, under each of repeated keys; unchanged if there is none. */
export const replaceAt = (text: string, path: ReadonlyArray<string>, source: string): string =>
  replaceAll(
    text,
    rangesAt(text, path).map(({ end, start }) => ({ start, end, source }))
  )

/** The text with other values at ranges, none of which overlaps another. */
export const replaceAll = (
  text: string,
  changes: ReadonlyArray<TextRange & { readonly source: string }>
): string =>
  splice(
    text,
    changes.toSorted((one, other) => one.start - other.start)
  )

/** The text without the members at a path of object keys; unchanged if there are none. */
export const removeAt = (text: string, path: ReadonlyArray<string>): string => {
  const key = path.at(-1)
  return splice(
    text,
    rangesAt(text, path.slice(0, -1)).flatMap(({ start }) => {
      const members = membersAt(text, start)
      const kept = members.filter((member) => member.key !== key)
      // Everything between the braces is written anew, because a comma belongs to two members.
      const source = kept.map((member) => text.slice(member.keyStart, member.end)).join(",")
      const first = members[0]
      const last = members.at(-1)
      return first === undefined || last === undefined || kept.length === members.length
        ? []
        : [{ start: first.keyStart, end: last.end, source }]
    })
  )
}

/** The text without members that stand at ranges, from the name to the end of the value, in order. */
export const removeMembers = (
  text: string,
  members: ReadonlyArray<{ readonly keyStart: number; readonly end: number }>
): string =>
  members.reduceRight((rest, { end, keyStart }) => {
    const behind = skipSpace(rest, end)
    if (rest.charCodeAt(behind) === comma)
      return rest.slice(0, keyStart) + rest.slice(skipSpace(rest, behind + 1))
    const before = rest.slice(0, keyStart).trimEnd()
    return (before.endsWith(",") ? before.slice(0, -1) : before) + rest.slice(end)
  }, text)

/** The elements of an array, each as it is written. */
export const elementsOf = (text: string): ReadonlyArray<string> => {
  const elements: Array<string> = []
  let position = skipSpace(text, skipSpace(text, 0) + 1)
  while (text[position] !== "]") {
    const end = endOfValue(text, position)
    elements.push(text.slice(position, end))
    position = skipSpace(text, end)
    if (text[position] === ",") position = skipSpace(text, position + 1)
  }
  return elements
}

/** Where the values at a path of object keys stand. */
export const rangesAt = (text: string, path: ReadonlyArray<string>): ReadonlyArray<TextRange> => {
  const start = skipSpace(text, 0)
  // Of what a path leads through only the start counts, and the end would take a pass over a long text.
  let ranges: ReadonlyArray<TextRange> = [{ start, end: path.length === 0 ? endOfValue(text, start) : start }]
  for (const key of path)
    ranges = ranges.flatMap((range) => membersAt(text, range.start).filter((member) => member.key === key))
  return ranges
}

interface Member extends TextRange {
  readonly key: string
  readonly keyStart: number
}

/** The members of the object that begins at a position; none if another value begins there. */
const membersAt = (text: string, start: number): ReadonlyArray<Member> => {
  if (text[start] !== "{") return []
  const members: Array<Member> = []
  let position = skipSpace(text, start + 1)
  while (text[position] === '"') {
    const keyEnd = endOfString(text, position)
    const valueStart = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const end = endOfValue(text, valueStart)
    members.push({ key: keyIn(text, position, keyEnd), keyStart: position, start: valueStart, end })
    position = skipSpace(text, end)
    if (text[position] === ",") position = skipSpace(text, position + 1)
  }
  return members
}

/** A key may be written with escapes. */
const keyIn = (text: string, start: number, end: number): string => {
  const plain = text.slice(start + 1, end - 1)
  return plain.includes("\\") ? String(JSON.parse(text.slice(start, end))) : plain
}

const endOfValue = (text: string, start: number): number => {
  switch (text[start]) {
    case '"':
      return endOfString(text, start)
    case "{":
    case "[":
      return endOfContainer(text, start)
    default:
      return endOfWord(text, start)
  }
}

const endOfContainer = (text: string, start: number): number => {
  let depth = 0
  let position = start
  do {
    const code = text.charCodeAt(position)
    if (code === quote) {
      position = endOfString(text, position)
      continue
    }
    if (code === openBrace || code === openBracket) depth += 1
    else if (code === closeBrace || code === closeBracket) depth -= 1
    position += 1
  } while (depth > 0 && position < text.length)
  return position
}

const endOfString = (text: string, start: number): number => {
  let end = text.indexOf('"', start + 1)
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end === -1 ? text.length : end + 1
}

/** Whether an odd number of backslashes stands before a position. */
const isEscaped = (text: string, position: number): boolean => {
  let before = position - 1
  while (text.charCodeAt(before) === backslash) before -= 1
  return (position - before) % 2 === 0
}

/** A number, `true`, `false` or `null`. */
const endOfWord = (text: string, start: number): number => {
  let end = start
  while (end < text.length && !endsWord(text.charCodeAt(end))) end += 1
  return end
}

const skipSpace = (text: string, start: number): number => {
  let position = start
  while (isSpace(text.charCodeAt(position))) position += 1
  return position
}

const splice = (text: string, changes: ReadonlyArray<TextRange & { readonly source: string }>): string => {
  let result = ""
  let position = 0
  for (const { end, source, start } of changes) {
    result += text.slice(position, start) + source
    position = end
  }
  return result + text.slice(position)
}

const [quote, backslash, comma, openBrace, closeBrace, openBracket, closeBracket] = [
  0x22, 0x5c, 0x2c, 0x7b, 0x7d, 0x5b, 0x5d
]
// Comparisons, because a set would take longer than all else for a text of whitespace.
const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
const endsWord = (code: number): boolean =>
  isSpace(code) || code === comma || code === closeBracket || code === closeBrace
